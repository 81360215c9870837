import io

import pytest
from rich.console import Console

from headrace.cli.result import result_tables
from headrace.pipelines.local.records import State

# Artifact metadata comes back in any order.
METRICS = {
    "mean_label": 0.3017,
    "example_count": 54186.0,
    "auc_precision_recall": 0.5865,
    "calibration": 0.9428,
    "binary_crossentropy": 0.4711,
    "mean_prediction": 0.2844,
    "auc": 0.7799,
    "something_new": 1.0,
    "binary_accuracy": 0.7802,
}


def slice_record(group, value, rows=1000.0):
    return {
        "calibration": 0.95,
        "auc": 0.78,
        "group": group,
        "auc_precision_recall": 0.58,
        "rows": rows,
        "slice": f"{group}={value}",
    }


@pytest.fixture
def shown(make_run, make_task):
    def render(slices=(), pushed=False, state=State.SUCCEEDED):
        tasks = [
            make_task(
                "evaluator", state, metrics=METRICS, evaluation_result={"slices": list(slices)}
            )
        ]
        if pushed:
            verdict = {"verdict": "pushed as version 1"}
            model = {"external_path": "/models/flights/1"}
            tasks.append(make_task("pusher", parameters=verdict, pushed_model=model))
        output = io.StringIO()
        console = Console(file=output, width=80)
        for renderable in result_tables(make_run(*tasks)):
            console.print(renderable, soft_wrap=False)
        return output.getvalue()

    return render


def test_metrics_are_one_per_line_in_a_fixed_order_and_whole_in_80_columns(shown):
    lines = [line.split() for line in shown().splitlines()[2:]]
    assert lines == [
        ["auc", "0.7799"],
        ["auc_precision_recall", "0.5865"],
        ["binary_accuracy", "0.7802"],
        ["binary_crossentropy", "0.4711"],
        ["calibration", "0.9428"],
        ["mean_prediction", "0.2844"],
        ["mean_label", "0.3017"],
        ["example_count", "54,186"],
        ["something_new", "1.0000"],
    ]


def test_slice_columns_are_in_a_fixed_order(shown):
    text = shown([slice_record("origin", "JFK", 18452.0), slice_record("origin", "EWR")])
    lines = text[text.index("Slices") :].splitlines()
    assert lines[1].split() == ["slice", "rows", "auc", "auc_precision_recall", "calibration"]
    assert lines[2].split() == ["origin=JFK", "18,452", "0.7800", "0.5800", "0.9500"]
    assert "…" not in text


def test_long_slice_names_are_folded_not_cut(shown):
    text = shown([slice_record("manufacturer,destination", "Q" * 90)])
    assert text.count("Q") == 90
    assert "…" not in text


def test_of_many_slices_the_rest_is_counted(shown):
    text = shown([slice_record("dest", number) for number in range(25)])
    assert text.count("dest=") == 20
    assert "5 more in the report" in text


def test_a_missing_slice_metric_is_left_blank(shown):
    partial = slice_record("origin", "LGA")
    del partial["auc"]
    text = shown([slice_record("origin", "JFK"), partial])
    assert ["origin=LGA", "1,000", "0.5800", "0.9500"] in [x.split() for x in text.splitlines()]


def test_the_pushed_model_is_named(shown):
    assert "Model: /models/flights/1  (pushed as version 1)" in shown(pushed=True)


def test_a_run_that_did_not_get_to_the_evaluation_shows_nothing(shown):
    assert shown(state=State.FAILED) == ""
