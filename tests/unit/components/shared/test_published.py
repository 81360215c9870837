"""One undefined metric must not cost a step its outputs."""

import json
import math

from kfp import dsl

from headrace.components.shared.published import log_metrics


def test_what_json_cannot_carry_is_left_out():
    metrics = dsl.Metrics()
    log_metrics(metrics, {"auc": 0.7, "pearson": math.nan, "ratio": math.inf, "rows": 3})
    assert json.loads(json.dumps(metrics.metadata, allow_nan=False)) == {"auc": 0.7, "rows": 3.0}
