"""TensorFlow Serving's configuration: text-format protos that the server would read."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import tenacity
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from headrace.serving.gateway.config import load
from headrace.serving.server.batching.parameters import BatchingParameters
from headrace.serving.server.config import files, messages, model_list

from .conftest import ENVIRONMENTS, SERVING
from .test_manifests import of_kind, pods

BASE = SERVING / "base" / "tf-serving"
MODELS = [BASE / "models.config", *sorted(SERVING.glob("overlays/*/models.config"))]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_models(path):
    found = files.read(str(path), ModelServerConfig).model_config_list
    model_list.check(found)
    models = found.config
    assert models
    for model in models:
        assert model.base_path == f"/models/{model.name}"
        policy = model.model_version_policy
        # A label of a version that is not loaded would be refused.
        assert set(model.version_labels.values()) <= set(policy.specific.versions)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_overlays_serve_their_own_models(name, render):
    configs = of_kind(render(SERVING / "overlays" / name), "ConfigMap")
    text = configs["tf-serving-models"]["data"]["models.config"]
    own = SERVING / "overlays" / name / "models.config"
    assert text == (own if own.exists() else BASE / "models.config").read_text()


def test_released_models_have_versions_and_labels():
    for name in ("staging", "prod"):
        config = files.read(str(SERVING / "overlays" / name / "models.config"), ModelServerConfig)
        models = config.model_config_list.config
        assert len(models) > 1
        assert all(model.version_labels["stable"] for model in models)


def test_the_gateway_asks_for_models_that_are_served():
    gateway = load(SERVING / "base" / "gateway" / "gateway.yaml")
    served = files.read(str(BASE / "models.config"), ModelServerConfig).model_config_list.config
    assert set(gateway.models) <= {model.name for model in served}
    for name, model in gateway.models.items():
        # The manifests of its versions are where the server reads them.
        assert f"{model.versions}/{name}" in {one.base_path for one in served}
        assert model.server == "tf-serving:8500"


def test_batching():
    read = files.read(str(BASE / "batching.config"), messages.BatchingParameters)
    # Refuses what TensorFlow Serving refuses, such as a last size that is not the largest batch.
    assert BatchingParameters.from_proto(read).max_batch_size == 128


def test_prometheus_reads_the_path_that_is_served():
    monitoring = files.read(str(BASE / "monitoring.config"), messages.MonitoringConfig)
    assert monitoring.prometheus_config.enable
    for file in ("prometheus.yml", "service-monitors.yaml"):
        text = (SERVING / "monitoring" / file).read_text()
        (path,) = set(re.findall(r"path: (/monitoring[\w/]+)", text))
        assert path == monitoring.prometheus_config.path


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model as the pusher leaves it, small."""
    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(
        lambda x: {"y": 2.0 * x}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
    )
    folder = tmp_path_factory.mktemp("models")
    tf.saved_model.save(module, str(folder / "flights" / "1"), signatures=module.double)
    return folder


def test_a_server_starts_with_the_options_of_the_deployment(model, render, tmp_path):
    """Headrace's own server takes TensorFlow Serving's flags and files."""
    found = {name: spec for name, _, spec in pods(render(SERVING / "overlays" / "dev"))}
    (container,) = found["tf-serving"]["containers"]
    for file in BASE.glob("*.config"):
        text = file.read_text().replace('"/models/', f'"{model}/')
        (tmp_path / file.name).write_text(text)
    ports = {"8500": str(free_port()), "8501": str(free_port())}
    words = []
    for word in container["args"]:
        name, _, value = word.partition("=")
        value = ports.get(value, value)
        words.append(f"{name}={re.sub(r'/etc/tf-serving/[a-z]+', str(tmp_path), value)}")
    command = [sys.executable, "-m", "headrace.serving.server", *words]
    probe = container["readinessProbe"]["httpGet"]["path"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = f"http://localhost:{ports['8501']}"
            wait_for(url + probe, server)
            asked = httpx.post(f"{url}/v1/models/flights:predict", json={"instances": [1.5, 2.0]})
            assert asked.json() == {"predictions": [3.0, 4.0]}
            shown = httpx.get(f"{url}/monitoring/prometheus/metrics").text
        finally:
            server.terminate()
    # Further ones appear with gRPC and with batches.
    for name in ("request_count", "request_latency_bucket"):
        assert f':tensorflow:serving:{name}{{model_name="flights"' in shown


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])


@tenacity.retry(wait=tenacity.wait_fixed(0.2), stop=tenacity.stop_after_delay(120), reraise=True)
def wait_for(url: str, server: subprocess.Popen[str]) -> None:
    if server.poll() is not None:
        pytest.fail(f"the server ended: {server.stderr.read()}")
    assert httpx.get(url).status_code == 200
