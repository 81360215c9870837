import json
import re

import pytest
from typer.testing import CliRunner

from headrace.cli.runs import app
from headrace.components.shared.errors import ConfigError
from headrace.pipelines.local import cleaning
from headrace.pipelines.local.comparison import compare
from headrace.pipelines.local.home import Home
from headrace.pipelines.local.records import ArtifactRecord, Outputs, State, write_record


@pytest.fixture
def home(tmp_path):
    place = Home(tmp_path / "home")
    place.prepare()
    return place


@pytest.fixture
def measured(make_run, make_task, home):
    def make(number, auc, **fields):
        folder = home.steps / "evaluator" / f"{number:016x}"
        folder.mkdir(parents=True)
        (folder / "data").write_text("x" * 1000)
        metrics = ArtifactRecord(
            name="metrics", type="system.Metrics", uri="/m", metadata={"auc": auc}
        )
        outputs = Outputs(
            parameters={"verdict": "blessed" if auc > 0.7 else "not blessed"},
            artifacts={"metrics": metrics},
        )
        run = make_run(
            make_task("evaluator", outputs=outputs, folder=str(folder), seconds=float(number)),
            run_id=f"2026010{number}-000000-aaaaaa",
            **fields,
        )
        write_record(run)
        return run

    return make


@pytest.fixture
def runs(measured):
    return [
        measured(1, 0.65, arguments={"epochs": 1, "label": "late"}),
        measured(2, 0.72, arguments={"epochs": 3, "label": "late"}),
        measured(3, 0.72, state=State.FAILED),
    ]


@pytest.fixture
def call(home):
    def run(*arguments):
        result = CliRunner().invoke(
            app, [*arguments, "--home", str(home.path)], env={"COLUMNS": "160"}
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return run


def test_a_comparison_shows_what_changed_and_by_how_much(runs):
    result = compare(runs[0], runs[1])

    assert [(row.name, row.first, row.second) for row in result.arguments] == [("epochs", 1, 3)]
    (metric,) = result.metrics
    assert metric.name == "evaluator.metrics.auc"
    assert metric.change == pytest.approx(0.07)
    assert [row.second for row in result.verdicts] == ["blessed"]
    assert result.verdicts[0].change is None
    assert {row.name: row.change for row in result.seconds} == {"whole run": 0, "evaluator": 1}


def test_list_shows_runs_newest_first(call, runs):
    ids = re.findall(r"2026010\d-000000-aaaaaa", call("list"))

    assert ids == [run.run_id for run in reversed(runs)]
    assert len(re.findall("2026010", call("list", "--limit", "1"))) == 1


def test_list_names_a_record_that_cannot_be_read_and_goes_on(call, home, runs):
    (home.runs / runs[1].run_id / "run.json").write_text("{half")

    text = call("list")
    assert "cannot be read" in text
    assert all(run.run_id in text for run in runs)


def test_list_of_an_empty_home_says_so(call):
    assert "No runs in" in call("list")


def test_show_takes_a_prefix_and_latest(call, runs):
    assert "failed in" in call("show")
    assert "20260102-000000-aaaaaa" in call("show", "20260102")
    with pytest.raises(ConfigError, match="No run starts with `1999`"):
        call("show", "1999")


def test_compare_prints_the_differences(call, runs):
    text = call("compare", "20260101", "20260102")

    assert re.search(r"epochs\s+1\s+3\s+\+2", text)
    assert re.search(r"evaluator.metrics.auc\s+0.65\s+0.72\s+\+0.07", text)
    assert "label" not in text


def test_report_writes_the_page_and_names_it(call, home, runs):
    path = home.runs / runs[1].run_id / "report.html"

    assert call("report", "20260102").strip() == str(path)
    assert "evaluator" in path.read_text()


def test_clean_keeps_the_newest_runs_and_the_steps_they_show(call, home, runs):
    shared = home.steps / "ingest" / ("f" * 16)
    shared.mkdir(parents=True)
    newest = runs[-1]
    newest.tasks["evaluator"].folder = runs[0].tasks["evaluator"].folder
    write_record(newest)

    text = call("clean", "--keep", "1")

    assert text.startswith("Removed 2 runs and 3 finished steps")
    assert home.run_ids() == [newest.run_id]
    assert [path.name for path in home.steps.glob("*/*")] == [f"{1:016x}"]
    assert not shared.parent.exists()


def test_clean_follows_a_home_that_was_moved(home, runs, tmp_path):
    home.path.rename(tmp_path / "moved")
    moved = Home(tmp_path / "moved")

    assert cleaning.clean(moved, keep=3).steps == 0
    assert cleaning.clean(moved, keep=0).runs == 3
    assert moved.run_ids() == []


def test_clean_waits_for_no_one(home, runs):
    with (
        home.owned("20260109-000000-aaaaaa"),
        pytest.raises(ConfigError, match="A run is going on"),
    ):
        cleaning.clean(home, keep=0)
    assert len(home.run_ids()) == 3


def test_records_can_be_read_as_plain_json(home, runs):
    data = json.loads((home.runs / runs[0].run_id / "run.json").read_text())

    assert data["tasks"]["evaluator"]["outputs"]["artifacts"]["metrics"]["metadata"] == {
        "auc": 0.65
    }
