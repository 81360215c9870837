"""Recorded requests are replayed by the server, and hold nothing that the model does not take."""

import shutil
import socket
import urllib.request

import pytest

from headrace.components.deployment.pusher import pusher
from headrace.components.shared.model_store import WARMUP
from headrace.serving.server.config.flags import Flags

CONFIG = 'prometheus_config { enable: true path: "/metrics" }'


@pytest.fixture
def pushed(validated, trained, schema_artifact, statistics_artifact, tmp_path):
    """The first version of a model, pushed with what the infra validator recorded."""
    result = pusher.run(
        model=trained[1],
        schema=schema_artifact,
        statistics=statistics_artifact,
        warmup=validated[1] / "good",
        edge=tmp_path / "no-edge",
        name="tiny",
        record={},
        destination=str(tmp_path / "models"),
        serving={},
    )
    assert result.version == 1
    return tmp_path / "models/tiny"


@pytest.fixture
def metrics_of(tmp_path):
    """Starts the embedded server on a base path, and gives its metrics."""
    from headrace.serving.server.app import Server

    started = []

    def start(base):
        config = tmp_path / "monitoring.config"
        config.write_text(CONFIG)
        with socket.create_server(("", 0)) as one, socket.create_server(("", 0)) as two:
            port, rest_port = (each.getsockname()[1] for each in (one, two))
        flags = Flags(
            port=port,
            rest_api_port=rest_port,
            model_name="tiny",
            model_base_path=str(base),
            file_system_poll_wait_seconds=0,
            max_num_load_retries=0,
            monitoring_config_file=str(config),
        )
        started.append(Server(flags))
        started[0].start()
        with urllib.request.urlopen(f"http://localhost:{rest_port}/metrics") as answer:
            return answer.read().decode()

    yield start
    for server in started:
        server.stop(0)


def test_the_server_of_a_pushed_version_replays_the_requests(pushed, metrics_of):
    (line,) = (
        line
        for line in metrics_of(pushed).splitlines()
        if "model_warmup_records_read{" in line and not line.startswith("#")
    )
    # Two signatures, each asked 1, 2, 4 and 5 rows.
    assert float(line.split()[-1]) == 8


def test_a_damaged_record_fails_the_load(pushed, metrics_of, tmp_path):
    from headrace.serving.server.errors import ServingError

    shutil.copytree(pushed, tmp_path / "damaged")
    file = tmp_path / "damaged/1" / WARMUP
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    with pytest.raises(ServingError, match="verify your warmup data is in TFRecord format"):
        metrics_of(tmp_path / "damaged")


def test_only_what_the_model_takes_is_recorded(pushed):
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    requests = [
        PredictionLog.FromString(record).predict_log.request
        for record in tf.compat.v1.io.tf_record_iterator(str(pushed / "1" / WARMUP))
    ]
    asked = [(one.model_spec.name, one.model_spec.signature_name) for one in requests]
    assert asked == [("tiny", "serving_default"), ("tiny", "raw_tensors")] * 4
    taken = set(requests[-1].inputs)
    texts = requests[-2].inputs["examples"].string_val
    sent = set().union(*(tf.train.Example.FromString(text).features.feature for text in texts))
    assert sent == taken
    assert not taken & {"y", "id", "group", "afterwards"}
