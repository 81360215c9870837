"""The server as a process: start-up order, failures, signals, batching under load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.support.waiting import eventually

from .conftest import Clients, add_version, free_port


class Process:
    """A server process with its output."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.port = free_port()
        self.log = log
        with log.open("w") as output:
            self.popen = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "headrace.serving.server",
                    f"--port={self.port}",
                    *arguments,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "COLUMNS": "200"},
            )

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def clients(self) -> Clients:
        clients = Clients(f"localhost:{self.port}")
        grpc.channel_ready_future(clients.channel).result(60)
        return clients

    def listens(self) -> bool:
        future = grpc.channel_ready_future(Clients(f"localhost:{self.port}").channel)
        try:
            future.result(1)
        except grpc.FutureTimeoutError:
            return False
        return True


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(*arguments: str) -> Process:
        started.append(Process(tmp_path / f"log-{len(started)}", *arguments))
        return started[-1]

    yield start
    for process in started:
        process.popen.kill()
        process.popen.wait()


def request(alias: str, value: Any, dtype: Any = None) -> predict_pb2.PredictRequest:
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "default"
    made.inputs[alias].CopyFrom(tf.make_tensor_proto(value, dtype))
    return made


def test_ports_stay_closed_until_models_are_there_and_requests_are_answered_at_the_end(
    run: Callable[..., Process], tmp_path: Path, exports: Path
) -> None:
    base = tmp_path / "m"
    base.mkdir()
    process = run(f"--model_base_path={base}")
    eventually(lambda: process.says("No versions of servable default found"), 90)
    assert process.says("Importing TensorFlow")
    assert not process.listens()  # an empty base path waits

    add_version(base, 1, exports / "slow")
    clients = process.clients()
    call = clients.prediction.Predict.future(request("steps", [4000], tf.int64))
    threading.Event().wait(0.3)
    process.popen.send_signal(signal.SIGTERM)
    eventually(lambda: process.says("requests under way"))

    assert list(call.result(60).outputs["done"].int64_val) == [4000]
    assert process.popen.wait(60) == 0


def test_a_model_that_does_not_load_ends_the_process(
    run: Callable[..., Process], base_path: Any
) -> None:
    process = run(
        f"--model_base_path={base_path('m', {1: 'broken'})}",
        "--max_num_load_retries=1",
        "--load_retry_interval_micros=1000",
    )

    assert process.popen.wait(120) == 1
    assert process.says(
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{{name: default version: 1} due to error: NOT_FOUND: "
    )
    assert not process.says("Traceback")


def test_a_bad_config_file_and_a_signal_while_waiting(
    run: Callable[..., Process], tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    config.write_text("model_config_list { oops }")
    bad = run(f"--model_config_file={config}")
    (tmp_path / "empty").mkdir()
    waiting = run(f"--model_base_path={tmp_path / 'empty'}")

    assert bad.popen.wait(120) == 1
    assert bad.says("Error parsing text-format tensorflow.serving.ModelServerConfig")
    eventually(lambda: waiting.says("No versions of servable"), 90)
    waiting.popen.terminate()
    assert waiting.popen.wait(30) == 0


def test_batching_with_a_parameters_file(
    run: Callable[..., Process], base_path: Any, tmp_path: Path
) -> None:
    parameters = tmp_path / "batching.config"
    parameters.write_text(
        "max_batch_size { value: 4 } batch_timeout_micros { value: 60000000 } "
        "num_batch_threads { value: 1 } pad_variable_length_inputs: true "
        "allowed_batch_sizes: 2 allowed_batch_sizes: 4"
    )
    process = run(
        f"--model_base_path={base_path('m', {1: 'ragged'})}",
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
    )
    clients = process.clients()
    calls = [
        clients.prediction.Predict.future(request("x", [[1.0] * columns]))
        for columns in (1, 2, 3, 4)
    ]
    outputs = [call.result(50).outputs for call in calls]

    # Four requests made one batch of four rows, padded to the longest row.
    assert [list(one["batch"].int_val) for one in outputs] == [[4]] * 4
    assert [list(one["columns"].int_val) for one in outputs] == [[4]] * 4
    with pytest.raises(grpc.RpcError, match="Task size 5 is larger"):
        clients.prediction.Predict(request("x", [[1.0]] * 5))


def test_a_parameters_file_without_batching_is_an_error(
    run: Callable[..., Process], tmp_path: Path
) -> None:
    process = run(f"--model_base_path={tmp_path}", "--batching_parameters_file=/none")

    assert process.popen.wait(120) == 1
    assert process.says("batching_parameters_file is set without setting")


def test_platform_config_file_replaces_the_flags_and_the_profiler_answers(
    run: Callable[..., Process], base_path: Any, tmp_path: Path
) -> None:
    platforms = tmp_path / "platforms.config"
    platforms.write_text(
        'platform_configs { key: "tensorflow" value { source_adapter_config { '
        "[type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] { "
        "legacy_config { prefer_tflite_model: true num_tflite_pools: 1 "
        "session_config { intra_op_parallelism_threads: 1 } } } } } }"
    )
    process = run(
        f"--model_base_path={base_path('m', {1: 'light'})}", f"--platform_config_file={platforms}"
    )
    clients = process.clients()
    answer = clients.prediction.Predict(request("x", [2.0]))
    # ProfileRequest{duration_ms: 200, repository_root}; TensorFlow's own service answers it.
    root = str(tmp_path / "profile").encode()
    profile = clients.channel.unary_unary("/tensorflow.ProfilerService/Profile")
    profile(b"\x08\xc8\x01" + b"\x2a" + bytes([len(root)]) + root, timeout=60)

    assert list(tmp_path.glob("profile/**/*.xplane.pb"))
    assert list(answer.outputs["y"].float_val) == [3.0]  # TFLite's answer; the SavedModel says 11


def test_help_and_unknown_flags_answer_without_tensorflow() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "headrace.serving.server"]
    for argument, code in [("--help", 0), ("--nonsense=1", 2)]:
        done = subprocess.run([*command, argument], capture_output=True, text=True, timeout=60)
        assert done.returncode == code
        assert " tensorflow\n" not in done.stderr
