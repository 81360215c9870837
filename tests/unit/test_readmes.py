"""The components' READMEs are in step with their code, and their metadata is complete."""

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def readmes():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import generate_readmes

        yield generate_readmes
    finally:
        sys.path.remove(str(ROOT / "scripts"))


FOLDERS = sorted(path.parent for path in ROOT.glob("components/*/*/component.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_readme_is_what_the_generator_writes(readmes, folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == readmes.render(folder), "run `make docs` and commit the result"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_metadata_is_valid_and_names_the_component(readmes, folder):
    metadata = readmes.read_metadata(folder)
    assert metadata.name == folder.name
    assert metadata.lastVerified.tzinfo is not None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_input_and_output_is_described(readmes, folder):
    rows = [
        line
        for line in readmes.render(folder).splitlines()
        if line.startswith("| `") and line.endswith("|")
    ]
    undescribed = [row for row in rows if row.rstrip("|").rstrip().endswith("|")]
    assert not undescribed


def _written(tmp_path, **changes):
    values = yaml.safe_load((FOLDERS[0] / "metadata.yaml").read_text(encoding="utf-8"))
    folder = tmp_path / "component"
    folder.mkdir()
    text = yaml.safe_dump({**values, **changes}, sort_keys=False)
    (folder / "metadata.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stability": "done"}, "experimental"),
        ({"dependencies": {}}, "kubeflow"),
        ({"dependencies": {"kubeflow": [{"name": "Pipelines", "version": "2.15"}]}}, "pattern"),
        ({"lastVerified": "soon"}, "datetime"),
        ({"owner": "somebody"}, "owner"),
    ],
)
def test_wrong_metadata_is_refused(readmes, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        readmes.read_metadata(_written(tmp_path, **changes))


def test_metadata_in_another_order_is_refused(readmes, tmp_path):
    folder = _written(tmp_path)
    values = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
    backwards = dict(reversed(values.items()))
    (folder / "metadata.yaml").write_text(yaml.safe_dump(backwards, sort_keys=False))
    with pytest.raises(ValueError, match="must come in the order"):
        readmes.read_metadata(folder)


def test_check_names_what_is_not_in_step_and_writes_nothing(readmes, tmp_path, capsys):
    from generated import report_or_write

    page = tmp_path / "README.md"
    page.write_text("old", encoding="utf-8")
    assert report_or_write({page: "new"}, check=True, root=tmp_path) == 1
    assert page.read_text(encoding="utf-8") == "old"
    assert "not in step: README.md" in capsys.readouterr().out
    assert report_or_write({page: "new"}, check=False, root=tmp_path) == 0
    assert page.read_text(encoding="utf-8") == "new"
    assert report_or_write({page: "new"}, check=True, root=tmp_path) == 0
