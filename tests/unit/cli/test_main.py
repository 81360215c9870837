import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace import __version__
from headrace.cli import main as cli
from headrace.components.shared.errors import ConfigError


def test_version():
    result = CliRunner().invoke(cli.app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"headrace {__version__}\n")


@pytest.mark.parametrize("command", [[], ["init"], ["run"], ["compile"], ["runs"]])
def test_every_command_has_help(command):
    result = CliRunner().invoke(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_an_error_for_people_is_shown_without_a_traceback(monkeypatch, capsys):
    def fail():
        raise ConfigError("The [label] is wrong.", fix="Correct it.")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    shown = capsys.readouterr()
    assert stopped.value.code == 1
    # Square brackets are text, not Rich markup.
    assert shown.err == "✘ The [label] is wrong.\n  Correct it.\n"
    assert shown.out == ""


def test_an_unforeseen_error_keeps_its_traceback(monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_a_folder_that_is_no_project_is_an_error_for_people(tmp_path):
    command = [str(Path(sys.executable).with_name("headrace")), "run", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"✘ {tmp_path} is not a project: " in result.stderr
    assert "`headrace init <folder>`" in result.stderr
    assert "Traceback" not in result.stderr
