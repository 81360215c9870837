import subprocess
import sys
from pathlib import Path

import pytest

from headrace.cli import init as command
from headrace.cli.init import Task, create
from headrace.components.shared.config.project import load, read_code
from headrace.components.shared.errors import ConfigError, StorageError

FILES = {
    ".gitignore",
    "README.md",
    "data/deliveries.csv",
    "features.py",
    "model.py",
    "preprocessing.py",
    "project.yaml",
}


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def leftovers(folder):
    return [item.name for item in folder.iterdir() if item.name.startswith(".")]


@pytest.mark.parametrize(
    ("task", "label", "kind"),
    [(Task.BINARY, "late", "binary_classification"), (Task.REGRESSION, "hours", "regression")],
)
def test_a_new_project_is_complete_and_valid(tmp_path, task, label, kind):
    folder = tmp_path / "deep" / "My Parcels"
    create(folder, task)
    assert files_in(folder) == FILES
    project = load(folder)
    assert (project.name, project.label.column, project.label.task) == ("my-parcels", label, kind)
    other = {"late": "hours", "hours": "late"}[label]
    assert other in project.features.exclude
    assert set(read_code(folder)) == {"features.py", "preprocessing.py", "model.py"}
    assert leftovers(folder.parent) == []


@pytest.mark.parametrize("task", list(Task))
def test_what_is_generated_meets_the_house_style(tmp_path, task):
    create(tmp_path / "new", task)
    ruff = Path(sys.executable).with_name("ruff")
    settings = Path(__file__).parents[3] / "pyproject.toml"
    for check in (["check"], ["format", "--check"]):
        line = [str(ruff), *check, "--config", str(settings), "--no-cache", str(tmp_path / "new")]
        result = subprocess.run(line, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout
    for path in (tmp_path / "new").glob("*.*"):
        text = path.read_text()
        assert text.endswith("\n")
        assert "{{" not in text and "{%" not in text


def test_the_sample_data_are_always_the_same_and_have_flaws(tmp_path):
    create(tmp_path / "one")
    create(tmp_path / "two")
    first, second = (
        (tmp_path / name / "data/deliveries.csv").read_text() for name in ("one", "two")
    )
    assert first == second
    header, *rows = (line.split(",") for line in first.splitlines())
    assert len(rows) == 2000
    column = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    assert 0.2 < sum(map(int, column["late"])) / len(rows) < 0.5
    assert "" in column["weight_kg"] and "" in column["weather"]
    assert len(set(column["order_id"])) == len(rows)


def test_an_empty_folder_is_filled_and_stays_the_same_folder(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    identity = folder.stat().st_ino
    monkeypatch.chdir(folder)
    create(Path())
    assert files_in(folder) == FILES
    assert folder.stat().st_ino == identity


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "todo.txt").write_text("mine")
    with pytest.raises(ConfigError) as caught:
        create(tmp_path)
    assert caught.value.message == f"{tmp_path} is not empty: it has notes.txt and 1 more."
    assert caught.value.fix == "Name a new folder, for example `headrace init my-project`."
    assert files_in(tmp_path) == {"notes.txt", "todo.txt"}


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="is a file; a new or empty folder is needed"):
        create(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_name_without_letters_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no letter a-z or digit"):
        create(tmp_path / "___")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_there", [False, True])
def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path, monkeypatch, is_there):
    folder = tmp_path / "new"
    if is_there:
        folder.mkdir()

    def write_some(files, scratch):
        (scratch / "README.md").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "_write", write_some)
    with pytest.raises(StorageError, match="cannot be written: No space left on device"):
        create(folder)
    assert [item for item in tmp_path.rglob("*") if item != folder] == []
    assert folder.exists() is is_there


def test_a_place_that_cannot_hold_a_folder_is_an_error_for_people(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"new cannot be written: Not a directory"):
        create(tmp_path / "file" / "new")
