"""What KFP's user interface shows of each step, from the artifacts of finished runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from headrace.pipelines.compile import COMPILED
from headrace.pipelines.local.records import ArtifactRecord
from tests.e2e.conftest import ROOT, Outcome
from tests.e2e.launcher.artifacts import stored
from tests.support import kfp_ui

pytestmark = pytest.mark.e2e
SHOWN = {"system.Metrics", "system.ClassificationMetrics", "system.HTML", "system.Markdown"}
PAGE_LIMIT = 2_000_000
runs = pytest.mark.parametrize("run", ["taxi_run", "housing_run", "flights_run"])


def artifacts(outcome: Outcome, kind: str) -> Iterator[tuple[str, ArtifactRecord]]:
    for name, step in outcome.record.tasks.items():
        for output, artifact in step.outputs.artifacts.items():
            if artifact.type == kind:
                yield f"{name}.{output}", artifact


@runs
def test_every_step_shows_something(run: str, request: pytest.FixtureRequest) -> None:
    steps = request.getfixturevalue(run).record.tasks
    kinds = {n: {a.type for a in s.outputs.artifacts.values()} & SHOWN for n, s in steps.items()}
    assert [name for name, shown in kinds.items() if not shown] == []


@runs
def test_metrics_are_a_table_of_numbers(run: str, request: pytest.FixtureRequest) -> None:
    found = dict(artifacts(request.getfixturevalue(run), "system.Metrics"))
    assert len(found) >= 12
    for name, artifact in found.items():
        assert artifact.metadata, f"{name} is an empty table"
        numbers = [v for v in artifact.metadata.values() if type(v) in (int, float)]
        assert len(numbers) == len(artifact.metadata), name
        assert all(map(math.isfinite, numbers)), name


@pytest.mark.parametrize("run", ["taxi_run", "flights_run"])
def test_roc_curve_and_confusion_matrix(run: str, request: pytest.FixtureRequest) -> None:
    outcome = request.getfixturevalue(run)
    ((_, artifact),) = artifacts(outcome, "system.ClassificationMetrics")
    shown = kfp_ui.Classification.model_validate(stored(artifact.metadata, "classification"))
    roc = shown.roc()
    assert roc[0] == (0, 0)
    assert roc[-1] == (1, 1)
    assert roc == sorted(roc), "the line goes from left to right"
    assert 50 < len(roc) <= 200
    matrix = shown.matrix()
    assert list(matrix) == ["no", "yes"]
    rows = outcome.metrics()["example_count"]
    assert sum(map(sum, matrix.values())) == rows


@runs
def test_markdown_is_rendered_as_meant(run: str, request: pytest.FixtureRequest) -> None:
    found = dict(artifacts(request.getfixturevalue(run), "system.Markdown"))
    assert len(found) >= 6
    for name, artifact in found.items():
        text = Path(artifact.uri).read_text(encoding="utf-8")
        assert len(text) < kfp_ui.MARKDOWN_LIMIT
        tokens = kfp_ui.markdown_tokens(text)
        assert tokens[0].type == "heading_open", name
        as_text = [token.content for token in tokens if token.type == "inline"]
        assert not any("| ---" in content for content in as_text), f"{name}: a table is no table"


@pytest.mark.skipif(
    kfp_ui.CHROMIUM is None, reason="pages are looked at in Chromium: not installed"
)
@runs
def test_pages_work_in_the_sandboxed_frame(
    run: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    files = {n: Path(a.uri) for n, a in artifacts(request.getfixturevalue(run), "system.HTML")}
    assert len(files) >= 5
    assert [name for name, file in files.items() if file.stat().st_size > PAGE_LIMIT] == []
    pages = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    for name, frame in kfp_ui.show(pages, tmp_path).items():
        assert frame.errors == [], name
        assert frame.blocked == [], f"{name} loads something from elsewhere"
        assert len(frame.text) > 60, name
        assert frame.height > 100, name


@pytest.mark.skipif(
    kfp_ui.CHROMIUM is None, reason="pages are looked at in Chromium: not installed"
)
def test_a_page_that_needs_more_than_the_frame_gives_is_found(tmp_path: Path) -> None:
    pages = {
        "remote": '<html><head></head><img src="https://example.com/a.png">Hello</html>',
        "storage": "<html><head></head><script>localStorage.x = 1</script>Hello</html>",
    }
    frames = kfp_ui.show(pages, tmp_path)
    assert frames["remote"].blocked == ["https://example.com/a.png"]
    assert "sandboxed" in frames["storage"].errors[0]


def test_the_documentation_says_what_each_step_shows() -> None:
    spec = yaml.safe_load((COMPILED / "training.yaml").read_text())
    names = {"system.Metrics": "numbers", "system.HTML": "page", "system.Markdown": "summary"}
    declared = {
        name.removeprefix("comp-"): {
            names[artifact["artifactType"]["schemaTitle"]]
            for artifact in component.get("outputDefinitions", {}).get("artifacts", {}).values()
            if artifact["artifactType"]["schemaTitle"] in names
        }
        for name, component in spec["components"].items()
        if "executorLabel" in component
    }
    page = (ROOT / "docs" / "how-to" / "reports.md").read_text()
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    said = {
        step.strip(" `"): {
            kind for kind, cell in zip(names.values(), cells, strict=True) if cell.strip()
        }
        for step, *cells in rows
    }
    assert said == declared
