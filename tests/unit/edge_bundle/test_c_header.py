"""A model as a C header: what a compiler makes of it are the bytes of the file."""

import shutil
import subprocess

import pytest

from headrace.components.shared.errors import ConfigError
from headrace.serving.edge.bundle import check_bundle, read_public_keys
from headrace.serving.edge.microcontroller.header import write_header

PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#include "model_data.h"
int main(void) {
  if ((uintptr_t)rides_float32 % 16) return 3;
  fwrite(rides_float32, 1, rides_float32_size, stdout);
  return 0;
}
"""


@pytest.fixture
def manifest(bundle, home):
    return check_bundle(bundle, read_public_keys(home / "edge-public-key.pem"))


@pytest.mark.parametrize(("compiler", "standard"), [("gcc", "c11"), ("g++", "c++17")])
def test_a_compiler_gets_the_same_bytes(bundle, manifest, tmp_path, compiler, standard):
    if not shutil.which(compiler):
        pytest.skip(f"needs {compiler}")
    assert write_header(bundle, manifest, "float32", tmp_path / "model_data.h") == 5000
    source = tmp_path / ("main.c" if compiler == "gcc" else "main.cc")
    source.write_text(PROGRAM)
    options = (f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "program")
    subprocess.run([compiler, *options, source], check=True)
    answer = subprocess.run([tmp_path / "program"], check=True, capture_output=True)
    assert answer.stdout == (bundle / "float32.tflite").read_bytes()


def test_a_model_that_does_not_fit_is_refused(bundle, manifest, tmp_path):
    with pytest.raises(ConfigError, match=r"has 5,000 bytes; a microcontroller gets 4,096"):
        write_header(bundle, manifest, "float32", tmp_path / "model_data.h", limit=4096)
    assert not (tmp_path / "model_data.h").exists()


def test_a_variant_that_is_not_there_is_refused(bundle, manifest, tmp_path):
    with pytest.raises(ConfigError, match="no variant 'onnx'") as error:
        write_header(bundle, manifest, "onnx", tmp_path / "model_data.h")
    assert error.value.fix == "Name one of float32."


def test_the_command_writes_it(bundle, home, tmp_path, capsys):
    from typer.testing import CliRunner

    from headrace.cli.edge import app

    written = tmp_path / "model_data.h"
    key = str(home / "edge-public-key.pem")
    command = ["header", str(bundle), "--public-key", key, "--to", str(written)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "rides version 7, float32, 5,000 bytes" in done.output
    assert written.read_text().startswith("// rides, version 7, variant float32: 5000 bytes.")
