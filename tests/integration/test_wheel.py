"""The wheel, built from a clean copy, installed elsewhere and used from there."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
UV = BIN.parent / "tools" / "bin" / "uv"
FOLDERS = ("components", "pipelines", "feature_store", "serving", "cli")
DATA = (".html", ".j2", ".yaml", ".md", "py.typed", "gitignore")


def tracked():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def run(*command, cwd, **environment):
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # From a copy: building here would leave build/ behind, and pick up what it holds.
    copy = tmp_path_factory.mktemp("copy")
    for name in tracked():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    target = tmp_path_factory.mktemp("dist")
    build = (
        UV,
        "build",
        "--wheel",
        "--offline",
        "--no-build-isolation",
        "--python",
        sys.executable,
    )
    run(*build, "--out-dir", target, copy, cwd=copy)
    (file,) = target.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder with nothing but the wheel in it; everything else comes from the environment."""
    folder = tmp_path_factory.mktemp("site")
    install = (UV, "pip", "install", "--offline", "--no-deps", "--python", sys.executable)
    run(*install, "--target", folder, wheel, cwd=folder)
    return folder


@pytest.fixture
def headrace(site, tmp_path):
    def call(*arguments):
        return run(site / "bin" / "headrace", *arguments, cwd=tmp_path, PYTHONPATH=str(site))

    return call


def test_it_has_every_module_and_data_file_of_the_packages(names):
    wanted = {f"headrace/{name}" for name in tracked() if name.startswith(FOLDERS)}
    wanted |= {name for name in tracked() if name.startswith("headrace/")}
    wanted = {name for name in wanted if name.endswith((".py", *DATA))}
    assert sorted(wanted - names) == []
    for name in ("py.typed", "pipelines/compiled/training.yaml", "pipelines/local/zygote.py"):
        assert f"headrace/{name}" in names


def test_it_has_nothing_else(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"headrace"}
    second = {name.split("/")[1] for name in names if name.startswith("headrace/")}
    assert second == {*FOLDERS, "__init__.py", "py.typed"}
    assert not [name for name in names if Path(name).name.startswith(("test_", "conftest"))]


def test_it_is_what_is_imported(site, tmp_path):
    code = "import headrace.cli.main, headrace; print(headrace.__file__)"
    # -P: the current folder does not count.
    shown = run(sys.executable, "-P", "-c", code, cwd=tmp_path, PYTHONPATH=str(site))
    assert Path(shown.strip()) == site / "headrace" / "__init__.py"


def test_the_command_answers(headrace):
    from headrace import __version__

    assert headrace("--version") == f"headrace {__version__}\n"
    assert "init" in headrace("--help")


def test_it_compiles_what_it_ships(headrace, tmp_path, site):
    headrace("compile", "out", "--target", "vertex")
    shipped = site / "headrace" / "pipelines" / "compiled" / "training.yaml"
    assert (tmp_path / "out" / "training.yaml").read_text() == shipped.read_text()


@pytest.mark.e2e
def test_a_new_project_runs(headrace, site, tmp_path):
    headrace("init", "parcels")
    with (tmp_path / "parcels/features.py").open("a") as code:
        code.write("\n\nimport headrace\n\nprint('imported', headrace.__file__)\n")
    headrace("run", "parcels")
    assert (tmp_path / "parcels/.headrace/models/parcels/1/saved_model.pb").is_file()
    # The steps' processes, too, ran the installed package.
    (log,) = (tmp_path / "parcels/.headrace/runs").rglob("feature-builder.log")
    assert f"imported {site}/headrace/__init__.py" in log.read_text()
