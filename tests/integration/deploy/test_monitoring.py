"""Alerts and dashboards ask for metrics that the servers have, by labels that these have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from headrace.feature_store.server.metrics import Metrics as FeatureMetrics
from headrace.serving.gateway.metrics import Metrics as GatewayMetrics

from .conftest import SERVING
from .test_manifests import of_kind

MONITORING = SERVING / "monitoring"
ALERTS = MONITORING / "alerts.yml"
#: From TensorFlow Serving's sources: metric to labels, histograms apart.
TENSORFLOW_SERVING = {":tensorflow:serving:request_count": {"model_name", "status"}}
TENSORFLOW_SERVING_HISTOGRAMS = {
    ":tensorflow:serving:request_latency": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:runtime_latency": {"model_name", "API", "runtime"},
    ":tensorflow:serving:batching_session:queuing_latency": set(),
}


def histogram(name, labels):
    return {
        f"{name}_bucket": {*labels, "le"},
        f"{name}_sum": set(labels),
        f"{name}_count": set(labels),
    }


def exported():
    """Every series that a server has, with its labels."""
    found = {"up": {"job"}, **TENSORFLOW_SERVING}
    for name, labels in TENSORFLOW_SERVING_HISTOGRAMS.items():
        found |= histogram(name, labels)
    ours = [*FeatureMetrics().collect(), *vars(GatewayMetrics(None)).values()]
    for metric in (m for m in ours if hasattr(m, "_labelnames")):
        # Families of the one, instruments of the other: both know their labels.
        (family,) = metric.collect() if hasattr(metric, "collect") else (metric,)
        labels = set(metric._labelnames)
        if family.type == "histogram":
            found |= histogram(family.name, labels)
        else:
            found[family.name + ("_total" if family.type == "counter" else "")] = labels
    return found


def alerts():
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboards():
    files = (MONITORING / "grafana" / "dashboards").glob("*.json")
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def panels():
    return [p for board in dashboards() for p in board["panels"] if p["type"] != "row"]


def test_expressions_ask_for_what_the_servers_have(programs):
    expressions = [alert["expr"] for alert in alerts()]
    expressions += [target["expr"] for panel in panels() for target in panel["targets"]]
    # A variable that Grafana fills in.
    sent = [text.replace("$__rate_interval", "5m") for text in expressions]
    script = [programs / "python", SERVING.parents[1] / "tests/integration/deploy/promql.py"]
    done = subprocess.run(script, input=json.dumps(sent), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    series = exported()
    for expression, reads in zip(expressions, json.loads(done.stdout), strict=True):
        assert reads["metrics"], expression
        assert set(reads["metrics"]) <= set(series), expression
        labels = set.union(*(series[name] for name in reads["metrics"]))
        assert set(reads["labels"]) <= labels | {"job", "instance"}, expression


def test_every_alert_says_what_to_do():
    for alert in alerts():
        assert set(alert) == {"alert", "expr", "for", "labels", "annotations"}
        assert set(alert["annotations"]) == {"summary", "action"}
        assert alert["labels"]["severity"] in ("critical", "warning")


def test_panels_name_alerts_that_exist():
    known = {alert["alert"] for alert in alerts()}
    text = " ".join(panel["description"] for panel in panels())
    named = {n for group in re.findall(r"Alerts? (\w+(?: and \w+)?)", text) for n in group.split()}
    assert known - {"GatewayErrors", "FeatureStoreOutage", "FeatureServerErrors"} <= named
    assert named - {"and"} <= known


def test_panels_have_their_place_and_the_provisioned_source():
    (source,) = yaml.safe_load(
        (MONITORING / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )["datasources"]
    for board in dashboards():
        places = [panel["gridPos"] for panel in board["panels"]]
        cells = [(x, p["y"]) for p in places for x in range(p["x"], p["x"] + p["w"])]
        assert len(cells) == len(set(cells))
        assert {panel["id"] for panel in board["panels"]} == set(range(1, len(places) + 1))
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}


def test_the_operator_gets_the_same_rules(render):
    rendered = render(SERVING / "overlays" / "prod")
    (rule,) = of_kind(rendered, "PrometheusRule").values()
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    jobs = re.search(r'job=~"([^"]+)"', alerts()[0]["expr"])[1].split("|")
    assert set(jobs) == set(of_kind(rendered, "ServiceMonitor"))
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    assert [scrape["job_name"] for scrape in config["scrape_configs"]] == jobs


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_its_files(tmp_path):
    shutil.copy(ALERTS, tmp_path)
    text = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/", ""))
    command = ["promtool", "check", "config", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
