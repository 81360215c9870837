import io
import json
import math

import pytest
from rich.console import Console

from benchmarks.measurement import Measurement, Target, table, target_text, write_results


def make(ours=(30.0,), reference=(100.0,), target=None, **fields):
    return Measurement(
        name="training run",
        unit=fields.pop("unit", "s"),
        target=target or Target(0.4),
        ours=ours,
        reference=reference,
        reference_name="something slower",
        **fields,
    )


@pytest.mark.parametrize(
    ("target", "ours", "reference", "ok"),
    [
        (Target(0.4), 40.0, 100.0, True),
        (Target(0.4), 40.1, 100.0, False),
        (Target(1.0, better="higher"), 0.78, 0.77, True),
        (Target(1.0, better="higher"), 0.77, 0.77, True),
        (Target(1.0, better="higher"), 0.76, 0.77, False),
        (Target(5, of="value"), 4.9, None, True),
        (Target(5, of="value"), 5.1, None, False),
        # An absolute target does not look at the reference.
        (Target(5, of="value"), 4.0, 1.0, True),
    ],
)
def test_a_target_is_met_or_missed(target, ours, reference, ok):
    assert make([ours], [reference] if reference else [], target).ok is ok


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_what_could_not_be_measured_is_never_good_enough(better):
    assert not make([math.nan], target=Target(0.4, better=better)).ok
    assert not make([1.0], [0.0], target=Target(0.4, better=better)).ok


def test_a_ratio_needs_a_reference():
    with pytest.raises(ValueError, match="training run: a target for a ratio needs a reference"):
        make(reference=()).ok  # noqa: B018


def test_repeated_values_count_with_their_median():
    item = make(ours=[10.0, 90.0, 20.0], reference=[100.0, 400.0])
    assert (item.value, item.reference_value, item.ratio) == (20.0, 250.0, 0.08)


@pytest.mark.parametrize(
    ("target", "unit", "text"),
    [
        (Target(0.25), "s", "≤ 0.25 x"),
        (Target(1.0, better="higher"), "", "≥ 1 x"),
        (Target(5, of="value"), "s", "≤ 5 s"),
        (Target(0.5, of="value", better="higher"), "", "≥ 0.5"),
    ],
)
def test_targets_as_text(target, unit, text):
    assert target_text(make(target=target, unit=unit)) == text


def rendered(*items, width=120):
    output = io.StringIO()
    Console(file=output, width=width).print(table(items))
    return output.getvalue()


def test_the_table_shows_values_ratio_target_and_outcome():
    line = rendered(make()).splitlines()[1]
    assert line.split() == [
        *["ok", "training", "run", "something", "slower"],
        *["30.0", "s", "100.0", "s", "0.300", "x", "≤", "0.4", "x"],
    ]
    assert rendered(make([50.0])).splitlines()[1].startswith("missed")


def test_the_table_shows_scores_with_four_digits_and_notes():
    score = make([0.77994], [0.77345], Target(1.0, better="higher"), unit="", note="AP 0.58")
    text = rendered(score)
    assert "0.7799" in text and "0.7734" in text and "1.008 x" in text and "AP 0.58" in text


def test_numbers_are_whole_in_a_narrow_terminal():
    text = rendered(make(), width=80)
    assert "100.0 s" in text and "0.300 x" in text and "≤ 0.4 x" in text


def test_results_are_written_with_the_machine(tmp_path):
    path = tmp_path / "results" / "latest.json"
    write_results(path, [make(ours=[10.0, 30.0])], {"cores": 2})
    found = json.loads(path.read_text())
    assert found["machine"] == {"cores": 2}
    (entry,) = found["measurements"]
    assert entry["ours"] == [10.0, 30.0]
    assert (entry["value"], entry["ratio"], entry["ok"]) == (20.0, 0.2, True)
    assert entry["target"] == {"limit": 0.4, "of": "ratio", "better": "lower"}
