"""The notebooks as they are committed: executed, small, and free of this or that machine."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 300_000


def test_there_are_five():
    assert [path.name[:3] for path in NOTEBOOKS] == ["01_", "02_", "03_", "04_", "05_"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def code(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def test_is_small(path):
    assert path.stat().st_size < LARGEST


def test_was_executed_from_top_to_bottom_without_error(code):
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert kinds <= {"stream", "display_data", "execute_result"}


def test_outputs_hold_no_warnings_and_no_paths(code):
    for cell in code:
        for output in cell.outputs:
            assert output.get("name") != "stderr"
            shown = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"/(home|root|tmp|work|usr|opt)/", shown), cell.id
            assert "WARNING" not in shown, cell.id


def test_outputs_are_kept(code):
    assert any(cell.outputs for cell in code)


def test_uses_no_private_names(code):
    for cell in code:
        assert not re.search(r"headrace[\w.]* import _|\b[a-z]\w*\._[a-z]", cell.source), cell.id
