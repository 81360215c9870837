"""The curl commands of docs/how-to/predict.md, run as they are but for ports."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.components.shared.model_store import ModelStore
from headrace.feature_store.local_redis import free_port
from headrace.serving.server.config.flags import parse
from tests.integration.gateway.rides import MODEL, RIDE
from tests.unit.batch_inference.conftest import export

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "predict.md"
WHOLE = ("CHAS", "RAD", "TAX")
FLOATS = ("CRIM", "ZN", "INDUS", "NOX", "RM", "AGE", "DIS", "PTRATIO", "LSTAT")

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


def test_the_model_server_answers_them(tmp_path):
    from headrace.serving.server.app import Server

    kinds = dict.fromkeys(WHOLE, "int64") | dict.fromkeys(FLOATS, "float32")
    ModelStore(str(tmp_path), "housing").push(export(tmp_path / "export", kinds), {}, {})
    port = free_port()
    flags = [f"--model_base_path={tmp_path}/housing", "--model_name=housing"]
    server = Server(parse([*flags, f"--port={free_port()}", f"--rest_api_port={port}"]))
    server.start()
    try:
        status, metadata, prediction = [
            run(command.replace("8501", str(port))) for command in commands(8501)
        ]
    finally:
        server.stop(0)
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert "raw_tensors" in metadata["metadata"]["signature_def"]["signature_def"]
    (value,) = prediction["predictions"]
    row = [0.00632, 18.0, 2.31, 0, 0.538, 6.575, 65.2, 4.09, 1, 296, 15.3, 4.98]
    assert value == pytest.approx(sum(row))


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
