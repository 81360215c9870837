"""Report pages: nothing from the data can become markup, and nothing is loaded from elsewhere."""

import re

import jinja2
import pytest

from headrace.components.data.ingest import ingest  # noqa: F401  (pages are shared by all)
from headrace.components.shared import report
from headrace.components.shared.config.model import Promotion
from headrace.components.validation.example_validator.validator import Anomaly
from headrace.components.validation.leakage_check.leakage import Leak
from headrace.components.validation.leakage_check.score import Score

EVIL = '<script>alert("x")</script>'
BARS = [{"label": EVIL, "height": 3.0}]


def view(**extra):
    return {"rows": 10, "missing": 0.2, "bars": BARS, **extra}


def result(**values):
    base = {"blessed": False, "reason": EVIL, "metric": EVIL, "challenger": 0.5}
    comparison = {"champion": 0.6, "worst": 0.1, "probability_better": 0.2}
    return {**base, **comparison, **values}


NUMBERS = {"mean": 1.0, "std": 1.0, "min": 0.0, "median": 1.0, "max": 2.0, "zeros": 0}
PAGES = {
    "anomalies.html": {
        "anomalies": [Anomaly("train", EVIL, EVIL, EVIL)],
        "baseline": True,
        "rules": {"drift": {EVIL: 0.1}},
    },
    "leakage.html": {
        "leaks": [Leak(EVIL, EVIL)],
        "scores": [Score(EVIL, 0.9, EVIL)],
        "limit": 0.8,
        "metric": "AUC",
        "rows": 10,
    },
    "statistics.html": {
        "features": [
            {"name": EVIL, "kind": "text", "splits": {"train": view(unique=2)}},
            {"name": EVIL, "kind": "number", "splits": {"train": view(**NUMBERS)}},
        ]
    },
    "challenger.html": {
        "result": result(),
        "rule": Promotion(),
        "champion_version": 3,
        "rows": 10,
        "bars": BARS,
    },
    "evaluation.html": {
        "task": "binary_classification",
        "rows": 10,
        "overall": {EVIL: 0.5},
        "groups": [
            {
                "title": EVIL,
                "primary": EVIL,
                "scale": (0.0, 1.0),
                "mark": 0.5,
                "slices": [
                    {
                        "name": EVIL,
                        "interval": {"value": 0.5, "low": 0.4, "high": 0.6},
                        "metrics": {"example_count": 5, "mean_label": 1, "mean_prediction": 1},
                    }
                ],
            }
        ],
        "checks": [
            {"metric": EVIL, "slice": EVIL, "rule": EVIL, "measured": EVIL, "passed": False}
        ],
        "blessed": False,
        "refusal": EVIL,
        "confidence": 0.95,
        "roc": [(0.0, 0.0), (1.0, 1.0)],
        "precision_recall": [(0.0, 1.0)],
        "calibration": [(0.5, 0.5)],
    },
}


@pytest.mark.parametrize("template", sorted(PAGES))
def test_values_from_the_data_are_escaped(template):
    page = report.render(template, title=EVIL, **PAGES[template])
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("template", sorted(PAGES))
def test_a_page_needs_neither_network_nor_script(template):
    page = report.render(template, title="t", **PAGES[template])
    assert not re.search(r"""(src|href)\s*=|@import|https?://""", page)


def test_a_value_that_is_forgotten_is_an_error_and_no_page(tmp_path):
    with pytest.raises(jinja2.UndefinedError):
        report.write(tmp_path / "page.html", "leakage.html", title="t")
    assert list(tmp_path.iterdir()) == []
