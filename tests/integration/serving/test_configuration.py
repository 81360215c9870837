"""The model config file, reloads, labels and warm-up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
    prediction_log_pb2,
)

from headrace.serving.server.errors import Code, ServingError
from tests.support.waiting import eventually

from .conftest import model_config, model_entry

ALL = "model_version_policy { all {} }"


def answer(running: Any, model: str, label: str = "") -> float:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    if label:
        request.model_spec.version_label = label
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0]))
    value: float = running.clients.prediction.Predict(request).outputs["y"].float_val[0]
    return value


def reload(running: Any, config: str, *metrics: str) -> model_management_pb2.ReloadConfigResponse:
    request = model_management_pb2.ReloadConfigRequest(metric_names=metrics)
    text_format.Parse(config, request.config)
    return running.clients.management.HandleReloadConfigRequest(request)


def refused(call: Callable[[], Any], code: str, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code().name == code
    assert text in caught.value.details()


@pytest.fixture
def two(base_path: Any) -> tuple[Path, Path]:
    return base_path("half", {1: "half"}), base_path("again", {1: "half", 2: "half_again"})


@pytest.fixture
def configured(serve: Any, two: tuple[Path, Path], tmp_path: Path) -> Any:
    file = tmp_path / "models.config"
    file.write_text(model_config(model_entry("half", two[0])))
    return serve(f"--model_config_file={file}", "--max_num_load_retries=0")


def test_reload_replaces_everything_and_waits_for_new_models(
    configured: Any, two: tuple[Path, Path]
) -> None:
    response = reload(configured, model_config(model_entry("again", two[1])))

    assert response.status.error_code == 0
    assert answer(configured, "again") == 4.0  # there as soon as the call returns
    refused(
        lambda: answer(configured, "half"),
        "NOT_FOUND",
        "Servable not found for request: Latest(half)",
    )


@pytest.mark.parametrize(
    ("config", "code", "text"),
    [
        (
            "{half} {half}",
            "INVALID_ARGUMENT",
            "Illegal to list model half multiple times in config list",
        ),
        (
            'config { name: "r" base_path: "models/r" model_platform: "tensorflow" }',
            "INVALID_ARGUMENT",
            "Expected model r to have an absolute path or URI; got base_path()=models/r",
        ),
        (
            'config { name: "half" base_path: "/m" model_platform: "other" }',
            "INVALID_ARGUMENT",
            "Illegal to change a model's platform. For model half platform was tensorflow and "
            "new platform requested is other",
        ),
        (
            'config { name: "n" base_path: "/m" }',
            "INVALID_ARGUMENT",
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform, model name is n",
        ),
        (
            'config { name: "l" base_path: "/m" model_platform: "tensorflow" logging_config {} }',
            "FAILED_PRECONDITION",
            "No request-logger-creator provided.",
        ),
    ],
)
def test_a_refused_reload_changes_nothing(
    configured: Any, two: tuple[Path, Path], config: str, code: str, text: str
) -> None:
    entries = config.replace("{half}", model_entry("half", two[0]))
    refused(lambda: reload(configured, model_config(entries)), code, text)

    assert answer(configured, "half") == 3.0


def test_only_lists_of_models_can_be_reloaded(configured: Any) -> None:
    refused(
        lambda: reload(configured, ""),
        "INVALID_ARGUMENT",
        "Only ModelConfigList is currently supported",
    )


def test_a_new_model_that_does_not_load_is_named(configured: Any, base_path: Any) -> None:
    base = base_path("broken", {1: "broken"})
    refused(
        lambda: reload(configured, model_config(model_entry("broken", base))),
        "UNKNOWN",
        "1 model(s) did not become available: {{{name: broken version: 1} due to error: "
        "NOT_FOUND: Could not find SavedModel",
    )


def test_labels_point_at_available_versions_only(configured: Any, two: tuple[Path, Path]) -> None:
    unlabelled = model_entry("again", two[1], ALL)
    labelled = model_entry(
        "again",
        two[1],
        f'{ALL} version_labels {{ key: "stable" value: 1 }} '
        'version_labels { key: "canary" value: 2 }',
    )
    refused(
        lambda: reload(configured, model_config(labelled)),
        "FAILED_PRECONDITION",
        "of model again, which is not currently available for inference",
    )
    reload(configured, model_config(unlabelled))
    eventually(lambda: len(configured.models.status("again")) == 2)
    eventually(lambda: all(one.state == 30 for one in configured.models.status("again")))
    reload(configured, model_config(labelled))

    assert answer(configured, "again", "stable") == 3.0
    assert answer(configured, "again", "canary") == 4.0
    reload(configured, model_config(unlabelled))
    refused(
        lambda: answer(configured, "again", "stable"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: stable",
    )


def test_labels_in_advance_when_allowed(serve: Any, two: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    label = 'version_labels { key: "stable" value: 1 }'
    file.write_text(model_config(model_entry("half", two[0], label)))
    running = serve(f"--model_config_file={file}", "--allow_version_labels_for_unavailable_models")

    assert answer(running, "half", "stable") == 3.0
    with pytest.raises(ServingError, match="not currently available"):
        serve(f"--model_config_file={file}")


def test_the_config_file_is_polled_and_a_bad_one_changes_nothing(
    serve: Any, two: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "models.config"
    file.write_text(model_config(model_entry("half", two[0])))
    running = serve(f"--model_config_file={file}", "--model_config_file_poll_wait_seconds=1")
    file.write_text("nonsense {")
    text = "Error parsing text-format tensorflow.serving.ModelServerConfig"
    eventually(lambda: text in caplog.text)
    assert answer(running, "half") == 3.0

    file.write_text(model_config(model_entry("again", two[1])))
    eventually(lambda: running.models.names() == ["again"] and running.models.ready())
    assert answer(running, "again") == 4.0


def warm(version: Path, *requests: Any, raw: bytes | None = None) -> None:
    folder = version / "assets.extra"
    folder.mkdir()
    file = folder / "tf_serving_warmup_requests"
    if raw is not None:
        file.write_bytes(raw)
        return
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            writer.write(request.SerializeToString())


def recorded(alias: str = "x") -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.inputs[alias].CopyFrom(tf.make_tensor_proto([2.0]))
    return log


def test_warmup_replays_the_recorded_requests(serve: Any, base_path: Any) -> None:
    base = base_path("m", {1: "half"})
    warm(base / "1", *[recorded()] * 1000)
    running = serve(f"--model_base_path={base}")

    assert answer(running, "default") == 3.0


def test_a_reload_answers_the_increase_of_metrics(configured: Any, two: tuple[Path, Path]) -> None:
    warm(two[1] / "2", recorded(), recorded())
    read, unknown = "/tensorflow/serving/model_warmup_records_read", "/no/such/metric"
    response = reload(configured, model_config(model_entry("again", two[1])), read, unknown)

    assert {one.name: one.int64_value_increase for one in response.metric} == {read: 2, unknown: 0}


@pytest.mark.parametrize(
    ("logs", "raw", "text"),
    [
        ([recorded("nothing")], None, "Signature input alias: x(feed name: "),
        ([recorded()] * 1001, None, "Number of warmup records exceeds the maximum (1000)"),
        ([], b"this is no TFRecord file", "Please verify your warmup data is in TFRecord format."),
    ],
)
def test_warmup_that_fails_fails_the_load(
    serve: Any, base_path: Any, logs: list[Any], raw: bytes | None, text: str
) -> None:
    base = base_path("m", {1: "half"})
    warm(base / "1", *logs, raw=raw)
    with pytest.raises(ServingError) as caught:
        serve(f"--model_base_path={base}", "--max_num_load_retries=0")
    assert caught.value.code is Code.UNKNOWN
    assert "1 servable(s) did not become available: {{{name: default version: 1}" in str(
        caught.value
    )
    assert text in caught.value.message

    running = serve(f"--model_base_path={base}", "--enable_model_warmup=false")
    assert answer(running, "default") == 3.0


def test_ended_versions_stay_listed_after_a_reload(configured: Any, two: tuple[Path, Path]) -> None:
    reload(configured, model_config(model_entry("again", two[1])))
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half"
    call = configured.clients.management.GetModelStatus
    eventually(lambda: call(request).model_version_status[0].state == 50)


def test_a_model_may_go_and_come_back(configured: Any, two: tuple[Path, Path]) -> None:
    half, again = (model_entry(*pair) for pair in (("half", two[0]), ("again", two[1])))
    for _ in range(5):
        reload(configured, model_config(again))
        reload(configured, model_config(half))
        assert answer(configured, "half") == 3.0

    eventually(lambda: [one.state for one in configured.models.status("again")] == [50])
    assert [one.state for one in configured.models.status("half")] == [30]
