"""``headrace serve`` chooses the server, says which, and passes every flag on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEADRACE = str(Path(sys.executable).with_name("headrace"))


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{path}:/usr/bin:/bin"}
    return subprocess.run(
        [HEADRACE, "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def test_tensorflow_model_server_when_it_is_there(tmp_path: Path) -> None:
    binary = tmp_path / "tensorflow_model_server"
    binary.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    binary.chmod(0o755)
    done = run(tmp_path, "--model_name", "m", "--model_base_path=/models/m")

    assert done.returncode == 7
    assert done.stdout.splitlines() == ["--model_name", "m", "--model_base_path=/models/m"]
    assert f"Serving with {binary}" in done.stderr


def test_the_embedded_server_otherwise(tmp_path: Path) -> None:
    done = run(tmp_path, "--model_name=m", "--use_alts_credentials=true")

    assert done.returncode == 2
    assert "Serving with the embedded server" in done.stderr
    assert "--use_alts_credentials=true is a flag of TensorFlow Serving" in done.stderr
