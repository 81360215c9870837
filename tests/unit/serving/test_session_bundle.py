"""How flags and files become the configuration of sessions and of batching."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.serving.server.config import session_bundle
from headrace.serving.server.config.flags import parse
from headrace.serving.server.errors import ServingError


def test_flags_override_the_session_config_file(tmp_path: Path) -> None:
    file = tmp_path / "session.config"
    file.write_text("inter_op_parallelism_threads: 7 allow_soft_placement: true")
    arguments = [f"--tensorflow_session_config_file={file}", "--mixed_precision=bfloat16"]
    kept = session_bundle.session_config(session_bundle.build(parse(arguments)))
    bundle = session_bundle.build(parse([*arguments, "--tensorflow_intra_op_parallelism=2"]))
    config = session_bundle.session_config(bundle)

    assert kept.inter_op_parallelism_threads == 7
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (2, 0)
    assert config.allow_soft_placement
    assert config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 == 1


def test_the_batching_file_and_its_defaults(tmp_path: Path) -> None:
    file = tmp_path / "batching.config"
    file.write_text(
        "max_batch_size { value: 64 } enable_large_batch_splitting { value: true } "
        "max_execution_batch_size { value: 16 } max_enqueued_batches { value: 3 } "
        'thread_pool_name { value: "pool" }'
    )
    flags = parse(["--enable_batching", f"--batching_parameters_file={file}"])
    read = session_bundle.batching(session_bundle.build(flags))
    plain = session_bundle.batching(session_bundle.build(parse(["--enable_batching"])))

    assert read is not None
    assert plain is not None
    assert (read.max_batch_size, read.execution_size, read.max_enqueued_batches) == (64, 16, 3)
    assert read.thread_pool_name == "pool"
    assert (plain.max_batch_size, plain.batch_timeout_micros) == (1000, 0)
    assert (plain.max_enqueued_batches, plain.execution_size) == (10, 1000)
    assert session_bundle.batching(session_bundle.build(parse([]))) is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            [f"--tensorflow_{kind}_parallelism=1" for kind in ("session", "intra_op", "inter_op")],
            "You cannot configure all.",
        ),
        (["--mixed_precision=float8"], "float8 auto mixed precision is not supported"),
        (["--platform_config_file={file}"], "needs a SavedModelBundleSourceAdapterConfig"),
        (["--batching_parameters_file=/none"], "without setting server_options.enable_batching"),
        (["--enable_batching", "--batching_parameters_file=/none/here"], "/none/here"),
    ],
)
def test_contradictions(tmp_path: Path, arguments: list[str], text: str) -> None:
    (tmp_path / "empty").write_text("")
    given = [argument.replace("{file}", str(tmp_path / "empty")) for argument in arguments]
    with pytest.raises(ServingError, match=text):
        session_bundle.session_config(session_bundle.build(parse(given)))
