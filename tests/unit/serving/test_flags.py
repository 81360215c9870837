"""TensorFlow Serving's flags: names, defaults, both spellings, refusals."""

from __future__ import annotations

import os

import pytest

from headrace.serving.server.config.flags import UNSUPPORTED, Flags, parse


def test_defaults_are_tensorflow_servings() -> None:
    flags = parse([])

    assert (flags.port, flags.rest_api_port, flags.rest_api_timeout_in_ms) == (8500, 0, 30000)
    assert flags.model_name == "default"
    assert flags.file_system_poll_wait_seconds == 1
    assert flags.model_config_file_poll_wait_seconds == 0
    assert (flags.max_num_load_retries, flags.load_retry_interval_micros) == (5, 60_000_000)
    assert flags.num_load_threads == 0
    assert flags.enable_model_warmup
    assert flags.saved_model_tags == "serve"
    assert flags.enable_profiler
    assert not flags.enable_batching
    assert flags.grpc_max_threads == flags.rest_api_num_threads == 4 * (os.cpu_count() or 1)


def test_both_spellings() -> None:
    assert parse(["--port=1", "--model_name", "m"]) == Flags(port=1, model_name="m")
    for text, value in [
        ("--enable_model_warmup=false", False),
        ("--enable_model_warmup=0", False),
        ("--enable_model_warmup", True),
        ("--enable_model_warmup=True", True),
    ]:
        assert parse([text]).enable_model_warmup is value


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--no_such_flag=1", "unrecognized arguments: --no_such_flag=1"),
        ("--por=1", "unrecognized arguments: --por=1"),
        ("--port=many", "argument --port: invalid int value: 'many'"),
        ("--enable_batching=perhaps", "'perhaps' is neither true nor false"),
        ("--use_alts_credentials=true", "that this server does not support"),
        ("--xla_cpu_compilation_enabled", "that this server does not support"),
    ],
)
def test_what_is_not_known_or_not_supported_is_an_error(
    argument: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([argument])

    assert caught.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(("name", "default"), UNSUPPORTED.items())
def test_an_unsupported_flag_may_have_its_default(name: str, default: str) -> None:
    assert parse([f"--{name}={default}"]) == Flags()
