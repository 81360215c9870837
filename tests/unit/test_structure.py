"""What must stay true of the code base as a whole."""

import filecmp
import json
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.pipelines.compile import COMPILED, compile_all

ROOT = Path(__file__).parents[2]
INTERFACES = sorted((ROOT / "components").glob("*/*/component.py"))
PIPELINES = sorted((ROOT / "pipelines").glob("*/pipeline.py"))
HEAVY = ("tensorflow", "tfx", "apache_beam", "feast", "keras", "tensorflow_data_validation")
#: Nothing that makes `headrace --help` wait.
SLOW = (*HEAVY, "kfp", "numpy", "pandas", "polars", "pyarrow", "sklearn", "scipy")


def module(path):
    return ".".join(("headrace", *path.relative_to(ROOT).with_suffix("").parts))


def loaded_by(code, watched):
    """Which of ``watched`` a fresh interpreter has loaded after ``code``."""
    tail = f"\nimport sys, json\nprint(json.dumps([m for m in {watched!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_there_are_interfaces_and_pipelines_to_guard():
    assert len(INTERFACES) >= 15
    assert PIPELINES


def test_importing_interfaces_and_pipelines_loads_nothing_heavy():
    names = [module(path) for path in (*INTERFACES, *PIPELINES)]
    code = "import importlib\n" + "\n".join(f"importlib.import_module({n!r})" for n in names)
    assert loaded_by(code, HEAVY) == []


def test_importing_the_command_loads_nothing_heavy():
    assert loaded_by("import headrace.cli.main", SLOW) == []


def test_importing_the_package_loads_nothing_else():
    assert loaded_by("import headrace", (*SLOW, "pydantic", "yaml", "typer")) == []


def test_help_answers_without_loading_anything_heavy():
    code = (
        "import sys\nfrom headrace.cli.main import main\nsys.argv = ['headrace', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    assert loaded_by(code, SLOW) == []


@pytest.mark.parametrize("folder", [path.parent for path in INTERFACES], ids=lambda p: p.name)
def test_every_component_has_interface_metadata_and_reference(folder):
    there = {path.name for path in folder.iterdir()}
    assert {"component.py", "metadata.yaml", "README.md"} <= there


def test_every_folder_of_work_below_a_category_is_a_component():
    folders = (p.parent for p in (ROOT / "components").glob("*/*/__init__.py"))
    without = [
        str(folder.relative_to(ROOT))
        for folder in folders
        if folder.parent.name != "shared" and not (folder / "component.py").exists()
    ]
    assert without == []


@pytest.mark.parametrize("path", INTERFACES, ids=lambda p: p.parent.name)
def test_an_interface_holds_no_logic(path):
    """All imports of the package's own work are inside the function that KFP ships."""
    top = [line for line in path.read_text().splitlines() if line.startswith(("import", "from"))]
    allowed = ("from typing", "from kfp", "from headrace.components.shared.interface")
    assert [line for line in top if not line.startswith(allowed)] == []


def test_the_compiled_pipelines_are_what_the_code_says(tmp_path):
    names = {path.name for path in compile_all(tmp_path, target="vertex")}
    assert names == {path.name for path in COMPILED.glob("*.yaml")}, "run `make compile`"
    stale = [n for n in sorted(names) if not filecmp.cmp(tmp_path / n, COMPILED / n, shallow=False)]
    assert stale == [], f"pipelines/compiled is stale, run `make compile`: {stale}"
