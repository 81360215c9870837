from pathlib import Path

import pytest

from headrace.components.shared.files import digest
from headrace.pipelines.local.fingerprint import (
    CodeDigests,
    library_versions,
    metadata_for_key,
)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_digest_depends_on_names_and_bytes_only(tmp_path):
    files = {"a/x": "1", "b": "23"}
    first, second = tree(tmp_path / "1", files), tree(tmp_path / "2", files)

    assert digest(first) == digest(second)
    assert digest(tmp_path / "missing") == ""


@pytest.mark.parametrize(
    "other",
    [
        {"a/x": "12", "b": "3"},
        {"a/x": "1", "c": "23"},
        {"a": "1", "b": "23"},
        {"a/x": "1", "b": "23", "c": ""},
        {"a/x": "1", "b": "24"},
    ],
)
def test_every_difference_changes_the_digest(tmp_path, other):
    first = tree(tmp_path / "1", {"a/x": "1", "b": "23"})

    assert digest(first) != digest(tree(tmp_path / "2", other))


def test_empty_folders_count(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "2" / "empty").mkdir(parents=True)

    assert digest(tmp_path / "1") != digest(tmp_path / "2")


def test_step_folders_in_metadata_do_not_count(tmp_path):
    def metadata(key, name="x"):
        return {"schema": f"{tmp_path}/schema-gen/{key}/{name}", "rows": 3}

    keys = ["0123456789abcdef", "fedcba9876543210"]
    first, second = (metadata_for_key(metadata(key), tmp_path) for key in keys)
    assert first == second == {"schema": "/x", "rows": 3}
    assert metadata_for_key(metadata(keys[0], "y"), tmp_path) != first
    assert metadata_for_key({"path": "/elsewhere"}, tmp_path) == {"path": "/elsewhere"}


def test_code_of_others_has_no_digest():
    digests = CodeDigests()

    assert digests.of(None) == ""
    assert digests.of("def f():\n    import json\n") == ""
    assert digests.of("def f(:") == ""


def test_any_module_of_the_suite_brings_the_shared_code_along():
    digests = CodeDigests()
    errors = digests.of("from headrace.components.shared.errors import DataError")
    other = digests.of("from headrace.pipelines.local import resources")

    assert errors
    assert digests.of("from headrace.components.shared import errors") == errors
    assert other not in {"", errors}


def test_versions_of_tensorflow_matter_to_its_steps_alone():
    assert "tensorflow" not in library_versions(tfx=False)
    assert set(library_versions(tfx=False)) <= set(library_versions(tfx=True))
