"""What a model's logging_config writes, and what happens when it cannot."""

from __future__ import annotations

import json
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    prediction_log_pb2,
)

from headrace.serving.server.errors import Code, ServingError
from tests.support.waiting import eventually

from .conftest import model_config, model_entry

WARMUP = "assets.extra/tf_serving_warmup_requests"


def logging(rate: float = 1.0, prefix: str = "") -> str:
    collector = f'log_collector_config {{ filename_prefix: "{prefix}" }}' if prefix else ""
    return f"logging_config {{ sampling_config {{ sampling_rate: {rate} }} {collector} }}"


def example(request: Any) -> Any:
    features = request.input.example_list.examples.add().features
    features.feature["x"].float_list.value.append(80.0)
    return request


def send_one_of_each(running: Any) -> None:
    stub = running.clients.prediction
    predict = predict_pb2.PredictRequest()
    predict.model_spec.name = "half"
    predict.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0]))
    stub.Predict(predict)
    classify = example(classification_pb2.ClassificationRequest())
    classify.model_spec.name, classify.model_spec.signature_name = "examples", "classify"
    stub.Classify(classify)
    multi = example(inference_pb2.MultiInferenceRequest())
    task = multi.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "examples", "regress"
    stub.MultiInference(multi)
    connection = HTTPConnection(running.rest_address)
    for path, body in [
        ("half:predict", {"instances": [4.0, 6.0]}),
        ("examples:regress", {"examples": [{"x": 80.0}]}),
    ]:
        connection.request("POST", f"/v1/models/{path}", json.dumps(body))
        assert connection.getresponse().read()


def read(folder: Path) -> list[Any]:
    files = sorted(folder.glob("*.tfrecord"))
    records = [r for file in files for r in tf.compat.v1.io.tf_record_iterator(str(file))]
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


@pytest.fixture
def start(serve: Any, base_path: Any, tmp_path: Path) -> Any:
    """Starts a server whose models are logged as the arguments say: ``start(half, examples)``."""

    def begin(*entries: str) -> Any:
        bases = [base_path(name, {1: name}) for name in ("half", "examples")]
        pairs = zip(bases, entries, strict=True)
        file = tmp_path / "models.config"
        file.write_text(model_config(*(model_entry(b.name, b, more) for b, more in pairs)))
        folder = f"--request_log_folder={tmp_path / 'log'}"
        flags = [f"--model_config_file={file}", folder, "--request_log_rotate_seconds=1"]
        return serve(*flags, "--max_num_load_retries=0", rest=True)

    return begin


def test_requests_of_all_kinds_are_logged_with_their_answers(start: Any, tmp_path: Path) -> None:
    running = start(logging(prefix="halves"), logging())
    send_one_of_each(running)
    eventually(lambda: len(read(tmp_path / "log")) == 5)
    logs = read(tmp_path / "log")

    kinds = Counter(log.WhichOneof("log_type") for log in logs)
    expected = {"predict_log": 2, "classify_log": 1, "regress_log": 1, "multi_inference_log": 1}
    assert kinds == expected
    assert {path.name.split("-")[0] for path in (tmp_path / "log").iterdir()} == {
        "halves",
        "examples",
    }
    specs = [log.log_metadata.model_spec for log in logs]
    assert {(spec.name, spec.version.value) for spec in specs} == {("half", 1), ("examples", 1)}
    grpc_one, rest_one = [log.predict_log for log in logs if log.HasField("predict_log")]
    assert list(grpc_one.response.outputs["y"].float_val) == [3.0]
    assert list(tf.make_ndarray(rest_one.request.inputs["x"])) == [4.0, 6.0]
    assert list(tf.make_ndarray(rest_one.response.outputs["y"])) == [4.0, 5.0]


def test_what_was_logged_warms_up_another_version(
    start: Any, base_path: Any, serve: Any, tmp_path: Path
) -> None:
    send_one_of_each(start(logging(), ""))
    eventually(lambda: len(read(tmp_path / "log")) == 2)
    base = base_path("next", {1: "half"})
    (base / "1" / "assets.extra").mkdir()
    (file,) = (tmp_path / "log").iterdir()
    file.rename(base / "1" / WARMUP)
    running = serve(f"--model_base_path={base}")

    read_records = "/tensorflow/serving/model_warmup_records_read"
    assert running.server._metrics.counter(read_records) == 2


def test_a_sample_of_nothing_logs_nothing(start: Any, tmp_path: Path) -> None:
    send_one_of_each(start(logging(0.0), logging()))
    eventually(lambda: len(read(tmp_path / "log")) == 3)
    assert not list((tmp_path / "log").glob("half-*"))


def test_a_folder_that_is_none_costs_records_and_no_request(start: Any, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file is in the way")
    running = start(logging(), logging())
    send_one_of_each(running)
    lost = 'request_log_count{model_name="examples",status_code="INTERNAL"} 3'
    eventually(lambda: lost in running.server._metrics.text())
    send_one_of_each(running)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (logging(2.0), "sampling_rate is 2, not from 0 to 1"),
        (logging(prefix="../elsewhere"), "filename_prefix '../elsewhere' must be a plain name"),
    ],
)
def test_what_cannot_be_followed_is_refused(start: Any, config: str, text: str) -> None:
    with pytest.raises(ServingError, match=text) as caught:
        start(config, "")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_an_error_is_not_logged(start: Any, tmp_path: Path) -> None:
    running = start(logging(), logging())
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half"
    with pytest.raises(grpc.RpcError):
        running.clients.prediction.Predict(request)
    send_one_of_each(running)
    eventually(lambda: len(read(tmp_path / "log")) == 5)
