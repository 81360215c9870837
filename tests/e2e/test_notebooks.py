"""The notebooks run from top to bottom on real data, and their key cells say what the text says."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"


@pytest.fixture
def execute(monkeypatch):
    """Executes a notebook; returns its cells by id, and the asked-for variables."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import run_notebooks

    def run(name, home=None, **expressions):
        if home is not None:
            monkeypatch.setenv("HEADRACE_HOME", str(home))
        else:
            monkeypatch.delenv("HEADRACE_HOME", raising=False)
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        wanted = ", ".join(f"{key!r}: {text}" for key, text in expressions.items())
        probe = f"import json\nprint('PROBE' + json.dumps({{{wanted}}}, default=str))"
        notebook.cells.append(nbformat.v4.new_code_cell(probe))
        run_notebooks.execute(notebook)
        cells = {cell.id: cell for cell in run_notebooks.cleaned(notebook).cells}
        (answer,) = notebook.cells[-1].outputs
        return cells, json.loads(answer.text.partition("PROBE")[2])

    return run


def has_plot(cell):
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


def test_explore_flights_finds_the_leak_and_what_it_costs(execute):
    cells, found = execute(
        "01_explore_flights",
        rows="flights.height",
        labelled="labelled.height",
        alone="alone",
        caught="caught",
        auc="auc_by_features",
        drift="drift.to_dicts()",
        page="page",
    )
    assert (found["rows"], found["labelled"]) == (336_776, 327_346)
    assert found["alone"]["arr_delay"] > 0.99
    assert found["alone"]["dep_delay"] > 0.85
    # The check of single columns cannot see these two; only `known_after` catches them.
    assert found["alone"]["air_time"] < 0.6 < found["alone"]["dep_time"] < 0.8
    assert found["caught"] == ["air_time", "arr_delay", "arr_time", "dep_delay", "dep_time"]

    auc = found["auc"]
    for leak in ("+ air_time", "+ dep_time", "+ dep_delay"):
        assert auc[leak]["notebook"] > auc["schedule"]["notebook"] > auc[leak]["service"]
    assert auc["fair features"]["notebook"] == auc["fair features"]["service"] > 0.75

    assert [row["month"] for row in found["drift"]] == list(range(1, 13))
    assert all(row["temp"] > 0.1 > max(row["carrier"], row["origin"]) for row in found["drift"])
    assert "dep_delay" in found["page"]
    assert "://" not in found["page"].replace("http://www.w3.org/2000/svg", "")
    assert "iframe" in cells["statistics"].outputs[0].data["text/html"]
    for cell in ("late-by-hour-and-month", "single-scores", "auc-plot", "drift-plot"):
        assert has_plot(cells[cell]), cell


def test_walk_through_a_run_opens_every_artifact(execute, tmp_path):
    cells, found = execute(
        "02_walk_through_a_run",
        home=tmp_path,
        state="record.state",
        gates="gates",
        rows="rows_ingested",
        features="sorted(inputs)",
        difference="difference",
        answers="from_examples.tolist()",
        versions="store.versions()",
        manifest="manifest",
        again="again.state",
        states="states",
    )
    assert found["state"] == found["again"] == "succeeded"
    assert found["rows"] == 14_975
    assert all(found["gates"][gate][0] for gate in ("leakage-check", "evaluator", "challenger"))
    assert found["difference"] < 1e-5
    assert len(found["answers"]) == 256
    assert all(0 < answer < 1 for answer in found["answers"])
    assert found["versions"] == [1]
    assert found["manifest"]["features"] == found["features"]
    assert "payment_type" not in found["features"]
    rerun = {name for name, state in found["states"].items() if state != "cached"}
    assert rerun == {"resolver", "resolver-2", "run-status"}
    assert "pushed as version 1" in cells["record"].outputs[0].text
    assert (tmp_path / "runs").is_dir()


def test_the_model_by_slice(execute, flights_run):
    cells, found = execute(
        "03_analyse_the_model_by_slice",
        home=flights_run.home,
        overall="overall",
        carriers="carriers.to_dicts()",
        months="months.to_dicts()",
        whole="[whole.low, whole.value, whole.high]",
        measured="sorted('/'.join(f'{a}={b}' for a, b in key) for key in measured)",
        curves="{'/'.join(b for a, b in key): len(curve(plots[key])[0]) for key in shown}",
        checks="len(checks)",
    )
    metrics = flights_run.record.tasks["evaluator"].outputs.artifacts["metrics"].metadata
    assert found["overall"]["auc"] == pytest.approx(metrics["auc"])
    low, value, high = found["whole"]
    assert low < value < high
    assert value == pytest.approx(found["overall"]["auc"], abs=1e-3)

    rows = found["overall"]["example_count"]
    assert sum(row["example_count"] for row in found["carriers"]) == rows
    november, december = found["months"]
    assert november["mean_label"] < december["mean_label"]
    # What the text says about averages.
    assert max(november["auc"], december["auc"]) < found["overall"]["auc"]
    assert {"", "origin=JFK", "carrier=UA", "month=12"} <= set(found["measured"])
    assert set(found["curves"]) == {"", "11", "12"}
    assert min(found["curves"].values()) >= 5
    assert found["checks"] == 26
    assert has_plot(cells["interval-plot"])
    assert has_plot(cells["calibration-plot"])


def test_features_in_time_shows_what_a_wrong_join_costs(execute):
    cells, found = execute(
        "04_features_in_time",
        tiny="tiny['mean_delay'].to_list()",
        marks="[marks[name].isoformat() for name in ('prediction', 'departure', 'arrival')]",
        auc="auc_by_join",
        floor="floor",
        caught="caught",
        added="[line for line in after.splitlines() if line not in before]",
        new="more[NEW].drop_nulls().is_between(0, 1).all()",
        worth="worth",
        written="{name: result.written for name, result in written.items()}",
        compared="asked.height * len(names)",
        served="NEW in names and 'leg_late' in names and online['leg_late'].count()",
        differing="differing",
        stale="stale",
        years_later="years_later",
    )
    assert found["tiny"] == [None, 5.0, 5.0, 12.0, 12.0, None, 40.0]
    assert found["marks"] == sorted(found["marks"])

    auc, floor = found["auc"], found["floor"]
    right = auc.pop("two hours before")
    assert right["notebook"] == right["service"] > floor + 0.03
    for name in ("as of arrival", "the day's table"):
        # They promise more than the right join, and deliver less than no statistics at all.
        assert auc[name]["notebook"] > right["notebook"] + 0.05
        assert auc[name]["service"] < floor - 0.01
    latest = auc["the latest value"]
    assert right["service"] > latest["notebook"] > latest["service"] + 0.02
    # The text says which the leakage check catches, and by how many columns.
    assert list(found["caught"].values()) == [0, 3, 1, 0]

    assert len(found["added"]) == 1
    assert found["new"]
    worth = found["worth"]
    assert 0.55 < worth["alone"] < 0.65
    gain = worth["schedule and weather, and the new one"] - worth["schedule and weather"]
    assert gain > 0.01
    assert abs(worth["all features, and the new one"] - worth["all features"]) < 0.004

    assert found["written"]["origin_delays"] == 3
    assert found["compared"] > 3000
    assert found["served"] > 10
    assert found["differing"] == 0
    # The moment after the ttl, and how Feast's reader answers for ever.
    assert found["stale"] == {
        "0": "PRESENT",
        "6": "PRESENT",
        "12": "PRESENT",
        "13": "OUTSIDE_MAX_AGE",
    }
    assert found["years_later"] is not None
    assert has_plot(cells["one-flight"]) and has_plot(cells["auc-plot"])


def test_from_a_flight_to_a_prediction(execute, flights_run):
    cells, found = execute(
        "05_from_a_flight_to_a_prediction",
        home=flights_run.home,
        features="len(row)",
        by_grpc="by_grpc",
        by_gateway="told.outputs['probability']",
        served="[v is None for k, v in features.items() if k in told.flags]",
        board="risk.select('probability', 'late').to_dict(as_series=False)",
        later="later.outputs['probability']",
        stale="stale",
        refused="refused",
        logged="log['__output_probability'].to_list()",
        ended="model_server.returncode",
    )
    assert found["features"] == 60
    # What is online is what the model was asked with, by either way.
    assert found["by_grpc"] == pytest.approx(found["by_gateway"], abs=1e-6)
    assert all(found["served"])
    board = found["board"]
    assert len(board["late"]) > 30
    assert all(0 < probability < 1 for probability in board["probability"])
    assert "origin_delay_3h" in found["stale"] and len(found["stale"]) > 10
    assert found["later"] != pytest.approx(found["by_gateway"], abs=1e-3)
    assert "(view weather) is stale" in found["refused"]
    # The first request, then the board.
    assert found["logged"] == pytest.approx([found["by_gateway"], *board["probability"]])
    assert found["ended"] == 0
    assert has_plot(cells["board"])


def test_without_a_run_the_notebook_says_how_to_make_one(execute, tmp_path):
    with pytest.raises(CellExecutionError, match="make demo"):
        execute("03_analyse_the_model_by_slice", home=tmp_path)
