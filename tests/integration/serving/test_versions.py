"""Which versions serve: folders, policies, swaps, rollbacks, failures."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

from tests.support.waiting import eventually

from .conftest import add_version, model_config, model_entry

FAST = "--file_system_poll_wait_seconds=1"


def predict(running: Any, model: str = "default", version: int | None = None) -> tuple[int, float]:
    """The version that answered, and its value for 2: 3 from ``half``, 4 from ``half_again``."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0]))
    answer = running.clients.prediction.Predict(request)
    return answer.model_spec.version.value, answer.outputs["y"].float_val[0]


def states(running: Any, model: str = "default") -> dict[int, str]:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    answer = running.clients.management.GetModelStatus(request)
    names = get_model_status_pb2.ModelVersionStatus.State
    return {one.version: names.Name(one.state) for one in answer.model_version_status}


def test_folder_names_are_numbers_however_written(serve: Any, base_path: Any) -> None:
    base = base_path("m", {"00000123": "half", "abc": "half_again", "1.5": "half_again", 2: "half"})
    (base / "note.txt").write_text("not a version")
    running = serve(f"--model_base_path={base}")

    assert states(running) == {123: "AVAILABLE"}
    assert predict(running) == (123, 3.0)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", {3}),
        ("latest { num_versions: 2 }", {2, 3}),
        ("all {}", {1, 2, 3}),
        ("specific { versions: 1 versions: 3 versions: 9 }", {1, 3}),
    ],
)
def test_policies(
    serve: Any, base_path: Any, tmp_path: Path, policy: str, expected: set[int]
) -> None:
    base = base_path("m", {1: "half", 2: "half", 3: "half_again"})
    more = f"model_version_policy {{ {policy} }}" if policy else ""
    config = tmp_path / "models.config"
    config.write_text(model_config(model_entry("m", base, more)))
    running = serve(f"--model_config_file={config}")

    eventually(lambda: set(states(running, "m")) == expected)
    eventually(lambda: set(states(running, "m").values()) == {"AVAILABLE"})
    assert predict(running, "m")[0] == 3
    assert {predict(running, "m", version)[0] for version in expected} == expected


def test_swaps_lose_no_request_and_mix_no_versions(
    serve: Any, base_path: Any, exports: Path
) -> None:
    base = base_path("m", {1: "half"})
    running = serve(f"--model_base_path={base}", FAST)
    seen: set[tuple[int, float]] = set()
    failures: list[grpc.RpcError] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                seen.add(predict(running))
            except grpc.RpcError as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    add_version(base, 2, exports / "half_again")
    eventually(lambda: (2, 4.0) in seen)
    eventually(lambda: states(running) == {1: "END", 2: "AVAILABLE"})
    shutil.rmtree(base / "2")  # back to what is still there
    eventually(lambda: states(running) == {1: "AVAILABLE", 2: "END"})
    eventually(lambda: predict(running) == (1, 3.0))
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert seen == {(1, 3.0), (2, 4.0)}


def test_old_version_stays_until_its_requests_are_done(
    serve: Any, base_path: Any, exports: Path
) -> None:
    base = base_path("m", {1: "slow"})
    running = serve(f"--model_base_path={base}", FAST)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto([4000], tf.int64))
    running_call = running.clients.prediction.Predict.future(request)
    add_version(base, 2, exports / "half")
    eventually(lambda: states(running).get(2) == "AVAILABLE")
    eventually(lambda: states(running)[1] in ("UNLOADING", "END"))

    answer = running_call.result(timeout=120)
    assert answer.model_spec.version.value == 1
    assert list(answer.outputs["done"].int64_val) == [4000]
    eventually(lambda: states(running)[1] == "END")


def test_missing_base_path_keeps_and_an_empty_one_unloads(serve: Any, base_path: Any) -> None:
    base = base_path("m", {1: "half"})
    running = serve(f"--model_base_path={base}", FAST)
    away = base.rename(base.with_name("away"))
    with pytest.raises(AssertionError):
        eventually(lambda: states(running)[1] != "AVAILABLE", seconds=2.5)
    assert predict(running) == (1, 3.0)

    shutil.rmtree(away)
    base.mkdir()
    eventually(lambda: states(running) == {1: "END"})
    with pytest.raises(grpc.RpcError) as caught:
        predict(running)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "Servable not found for request: Latest(default)"


def test_a_version_that_does_not_load_leaves_the_old_one(
    serve: Any, base_path: Any, exports: Path
) -> None:
    base = base_path("m", {1: "half"})
    running = serve(
        f"--model_base_path={base}",
        FAST,
        "--max_num_load_retries=1",
        "--load_retry_interval_micros=1000",
    )
    add_version(base, 2, exports / "broken")
    eventually(lambda: states(running) == {1: "AVAILABLE", 2: "END"})
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "default"
    request.model_spec.version.value = 2
    (status,) = running.clients.management.GetModelStatus(request).model_version_status

    assert predict(running) == (1, 3.0)
    assert status.status.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert "Could not find SavedModel .pb" in status.status.error_message

    add_version(base, 3, exports / "half_again")  # the next push mends it
    eventually(lambda: predict(running) == (3, 4.0))


def test_loading_is_tried_again(serve: Any, base_path: Any, exports: Path) -> None:
    base = base_path("m", {1: "half"})
    running = serve(f"--model_base_path={base}", FAST, "--load_retry_interval_micros=200000")
    add_version(base, 2, exports / "broken")
    eventually(lambda: states(running).get(2) == "LOADING")
    shutil.copytree(exports / "half_again", base / "2", dirs_exist_ok=True)

    eventually(lambda: predict(running) == (2, 4.0))


def test_polling_once_sees_nothing_new(serve: Any, base_path: Any, exports: Path) -> None:
    base = base_path("m", {1: "half"})
    running = serve(f"--model_base_path={base}", "--file_system_poll_wait_seconds=0")
    add_version(base, 2, exports / "half_again")
    with pytest.raises(AssertionError):
        eventually(lambda: predict(running)[0] == 2, seconds=2.5)


def test_reference_variables_run_in_the_ordinary_executor(
    serve: Any, base_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "headrace.serving.server")
    running = serve(f"--model_base_path={base_path('m', {1: 'reference'})}")

    assert predict(running) == (1, 6.0)
    assert "needs the ordinary executor" in caplog.text


def test_tflite_only_when_preferred(serve: Any, base_path: Any) -> None:
    base = base_path("m", {1: "light"})
    plain = serve(f"--model_base_path={base}")
    light = serve(f"--model_base_path={base}", "--prefer_tflite_model")

    assert predict(plain) == (1, 11.0)
    assert predict(light) == (1, 3.0)


def test_tflite_signatures_of_older_converters(serve: Any, base_path: Any) -> None:
    base = base_path("m", {1: "broken_without_tflite"})
    running = serve(f"--model_base_path={base}", "--prefer_tflite_model")
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["old_x"].CopyFrom(tf.make_tensor_proto([2.0, 4.0]))

    assert list(running.clients.prediction.Predict(request).outputs["old_y"].float_val) == [3, 4]
