import importlib.util
import shutil
import subprocess
import sys

import pytest
from bootstrap import environment
from bootstrap.host import Host, UnsupportedHostError


@pytest.fixture
def project(tmp_path, scripts):
    root = tmp_path / "project"
    for name in ("requirements/lock.txt", "requirements/bootstrap.txt", "setup.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "scripts" / "bootstrap").mkdir(parents=True)
    (root / "scripts" / "bootstrap" / "host.py").write_text("")
    (root / ".venv").mkdir()
    return root


@pytest.fixture
def setup(project, scripts, monkeypatch, make_host):
    """The command, on a project of its own, with the costly part recorded instead of done."""
    spec = importlib.util.spec_from_file_location(
        "setup_command", scripts / "bootstrap/__main__.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.created = []
    monkeypatch.setattr(module, "ROOT", project)
    monkeypatch.setattr(module, "STAMP", project / ".venv" / "setup.stamp")
    monkeypatch.setattr(Host, "detect", classmethod(lambda cls: make_host()))
    monkeypatch.setattr(environment, "create", lambda *args: module.created.append(args))
    return module


def test_the_second_time_there_is_nothing_to_do(setup, capsys):
    assert setup.main() == 0
    assert len(setup.created) == 1
    stamp = setup.STAMP.stat()
    capsys.readouterr()
    assert setup.main() == 0
    assert len(setup.created) == 1
    assert setup.STAMP.stat().st_mtime_ns == stamp.st_mtime_ns
    assert capsys.readouterr().out == ""


def test_as_a_command_on_a_finished_environment_it_touches_nothing(setup, project, scripts):
    shutil.copytree(scripts / "bootstrap", project / "scripts/bootstrap", dirs_exist_ok=True)
    stamp = project / ".venv" / "setup.stamp"
    stamp.write_text(setup.fingerprint(project))
    before = {path: path.stat().st_mtime_ns for path in (project / ".venv").rglob("*")}
    command = [sys.executable, "-B", "scripts/bootstrap"]
    result = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in (project / ".venv").rglob("*")} == before


@pytest.mark.parametrize(
    "changed", ["requirements/lock.txt", "setup.py", "scripts/bootstrap/host.py"]
)
def test_it_runs_again_when_something_changed(setup, project, changed):
    setup.main()
    (project / changed).write_text("# changed")
    assert setup.main() == 0
    assert len(setup.created) == 2


def test_it_runs_again_after_a_failure(setup, monkeypatch, capsys):
    setup.main()
    (setup.ROOT / "setup.py").write_text("# changed")

    def fail(*args):
        raise environment.InstallError("`uv pip sync` failed")

    monkeypatch.setattr(environment, "create", fail)
    assert setup.main() == 1
    assert not setup.STAMP.exists()
    assert capsys.readouterr().err == "setup: `uv pip sync` failed\n"


def test_a_host_that_cannot_be_set_up_is_told_why(setup, monkeypatch, capsys):
    def refuse(host):
        raise UnsupportedHostError("Linux is required.")

    monkeypatch.setattr(setup, "decide", refuse)
    assert setup.main() == 1
    assert setup.created == []
    assert capsys.readouterr().err == "setup: Linux is required.\n"


def test_the_fingerprint_depends_on_the_place(setup, project):
    # The environment has absolute paths in it: a folder that moved needs it made again.
    before = setup.fingerprint(project)
    moved = project.rename(project.with_name("moved"))
    assert setup.fingerprint(moved) != before
