"""The materialization pipeline on all real rows: online is what training would get."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.feature_store.repo import open_store
from tests.e2e.conftest import Outcome, headrace

pytestmark = pytest.mark.e2e
REBUILT = {"ingest": "cached", "feature-builder": "cached"}


def refresh(project: Path, home: Path, until: str) -> Outcome:
    return headrace("features", "materialize", project, "--until", until, home=home)


def written(outcome: Outcome) -> dict[str, float]:
    return outcome.record.tasks["materialize"].outputs.artifacts["metrics"].metadata


def test_features_come_online_as_training_has_them(
    flights_run: Outcome, project: Path, copy_of
) -> None:
    home = copy_of(flights_run)
    first = refresh(project, home, "2013-07-01T12:00:00Z")
    assert first.code == 0, first.output
    assert first.states().items() >= REBUILT.items(), "training has built the same tables before"
    check = first.record.tasks["feature-check"]
    assert check.verdict is not None
    assert check.verdict.endswith("agree in 57,000 values in 1,000 rows")
    assert written(first)["written"] > 10_000

    later = refresh(project, home, "2013-07-01T13:00:00Z")
    assert later.code == 0, later.output
    assert 0 < written(later)["written"] < 2_000, "only what came in that hour"

    repo = project.parents[1] / "feature_repo"
    store = open_store(repo)
    ends = {view.most_recent_end_time for view in store.list_feature_views()}
    assert [f"{end:%H:%M}" for end in ends if end] == ["13:00"]
    assert len(list((repo / "data" / "baselines").glob("*.json"))) == 9


def test_a_moment_that_is_none_is_refused(flights_run: Outcome, project: Path, copy_of) -> None:
    outcome = refresh(project, copy_of(flights_run), "yesterday")
    assert outcome.code == 1
    assert "'yesterday' is no moment." in outcome.output


def test_a_new_feature_comes_online_for_every_entity(
    flights_run: Outcome, project: Path, copy_of
) -> None:
    home = copy_of(flights_run)
    assert refresh(project, home, "2013-07-01T12:00:00Z").code == 0
    rolling = project.parents[1] / "feature_repo" / "rolling.py"
    old = '*windows("dest", "overdue", ["stuck"], [6]),'
    assert old in rolling.read_text()
    rolling.write_text(rolling.read_text().replace(old, old.replace("[6]", "[6, 2]")))
    # The check asks for entities that had no event in this hour, too.
    after = refresh(project, home, "2013-07-01T13:00:00Z")
    assert after.code == 0, after.output
    assert after.states()["ingest"] == "cached"
    assert after.states()["feature-builder"] == "succeeded"
