"""The curl and grpcurl commands of docs/how-to/predict.md, run as they are but for ports."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.components.shared.model_store import ModelStore
from headrace.feature_store.local_redis import free_port
from headrace.serving.server.config.flags import parse
from tests.integration.environments import environment
from tests.integration.gateway.rides import MODEL, RIDE
from tests.unit.batch_inference.conftest import export

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "predict.md"
WHOLE = ("CHAS", "RAD", "TAX")
FLOATS = ("CRIM", "ZN", "INDUS", "NOX", "RM", "AGE", "DIS", "PTRATIO", "LSTAT")
#: The row of the page's example.
ROW = {"CRIM": 0.00632, "ZN": 18.0, "INDUS": 2.31, "CHAS": 0, "NOX": 0.538, "RM": 6.575}
ROW |= {"AGE": 65.2, "DIS": 4.09, "RAD": 1, "TAX": 296, "PTRATIO": 15.3, "LSTAT": 4.98}

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")


def commands(port):
    """The page's curl commands for one port."""
    text = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL))
    found = re.findall(rf"^curl localhost:{port}.*?(?=^curl|\Z)", text, re.DOTALL | re.MULTILINE)
    return [re.split(r"\n(?=grpcurl|headrace)", command)[0] for command in found]


def run(command):
    done = subprocess.run(
        command.replace("curl ", "curl -sS --fail-with-body ", 1),
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def housing(tmp_path_factory):
    """A model with the inputs of the example, which adds them up: its gRPC and REST port."""
    from headrace.serving.server.app import Server

    folder = tmp_path_factory.mktemp("housing")
    kinds = dict.fromkeys(WHOLE, "int64") | dict.fromkeys(FLOATS, "float32")
    ModelStore(str(folder), "housing").push(export(folder / "export", kinds), {}, {})
    ports = free_port(), free_port()
    flags = [f"--model_base_path={folder}/housing", "--model_name=housing"]
    server = Server(parse([*flags, f"--port={ports[0]}", f"--rest_api_port={ports[1]}"]))
    server.start()
    yield ports
    server.stop(0)


def test_the_model_server_answers_them(housing):
    status, metadata, prediction = [
        run(command.replace("8501", str(housing[1]))) for command in commands(8501)
    ]
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert "raw_tensors" in metadata["metadata"]["signature_def"]["signature_def"]
    (value,) = prediction["predictions"]
    assert value == pytest.approx(sum(ROW.values()))


def test_grpcurl_needs_no_proto_files(housing):
    program = environment("checks") / "grpcurl"

    def ask(words):
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    address = f"localhost:{housing[0]}"
    text = PAGE.read_text().replace("localhost:8500", address).replace("\\\n", "")
    found = re.findall(r"^grpcurl .*?(?=^grpcurl|^```)", text, re.DOTALL | re.MULTILINE)
    listed, status, metadata = [ask(shlex.split(command)[1:]) for command in found]
    assert "tensorflow.serving.PredictionService" in listed
    assert json.loads(status)["model_version_status"][0]["state"] == "AVAILABLE"
    assert "raw_tensors" in metadata

    crim = json.loads(re.search(r'"CRIM": (\{"dtype".*?\})`', text, re.DOTALL)[1])
    inputs = {name: crim | {"float_val": [ROW[name]]} for name in FLOATS}
    whole = {"dtype": "DT_INT64", "tensor_shape": crim["tensor_shape"]}
    inputs |= {name: whole | {"int64_val": [ROW[name]]} for name in WHOLE}
    spec = {"name": "housing", "signature_name": "raw_tensors"}
    body = json.dumps({"model_spec": spec, "inputs": inputs})
    method = "tensorflow.serving.PredictionService/Predict"
    (output,) = json.loads(ask(["-plaintext", "-d", body, address, method]))["outputs"].values()
    (value,) = output.get("floatVal") or output["float_val"]  # JSON has two spellings
    assert value == pytest.approx(sum(ROW.values()))


def test_the_server_alone_knows_what_grpcurl_asks_it_to_describe():
    """In a process of its own: other tests may have brought the descriptions along."""
    script = """
import headrace.components.shared.tensorflow_env
from google.protobuf import descriptor_pool
from headrace.serving.server.grpc import front_end
for name in ("PredictionService", "ModelService"):
    descriptor_pool.Default().FindFileContainingSymbol("tensorflow.serving." + name)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_the_gateway_answers_its_own(running):
    (command,) = commands(8080)
    with running.serving() as http:
        ours = re.sub(r"\{\"carrier.*\}(?=\]\})", json.dumps(RIDE), command, flags=re.DOTALL)
        ours = ours.replace("predict/flights", f"predict/{MODEL}")
        answer = run(ours.replace("8080", str(http.base_url.port)))
    assert answer["predictions"][0]["outputs"] == {"score": 38.625}
