"""Metrics for Prometheus: names, labels, limits and arithmetic of TensorFlow Serving's page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from prometheus_client.parser import text_string_to_metric_families

from headrace.serving.server.errors import Code
from headrace.serving.server.metrics import Metrics
from headrace.serving.server.seam import Entrypoint

BASE = ":tensorflow:serving:"


def test_names_and_kinds_are_there_before_anything_happened() -> None:
    assert Metrics().text().splitlines() == [
        f"# TYPE {BASE}{line}"
        for line in (
            "batching_session:queuing_latency histogram",
            "batching_session:wrapped_run_count counter",
            "model_warmup_latency histogram",
            "model_warmup_records_read counter",
            "request_count counter",
            "request_example_count_total counter",
            "request_example_counts histogram",
            "request_latency histogram",
            "request_log_count counter",
            "runtime_latency histogram",
        )
    ]


def test_requests_are_counted_by_status_and_timed_when_they_succeed() -> None:
    metrics = Metrics()
    metrics.request("m", "predict", Entrypoint.REST, Code.OK, 10e-6)
    metrics.request("m", "predict", Entrypoint.REST, Code.OK, 100e-6)
    metrics.request("m", "predict", Entrypoint.REST, Code.INVALID_ARGUMENT, 1)
    lines = metrics.text().splitlines()
    assert f'{BASE}request_count{{model_name="m",status="OK"}} 2' in lines
    assert f'{BASE}request_count{{model_name="m",status="INVALID_ARGUMENT"}} 1' in lines
    labels = 'model_name="m",API="predict",entrypoint="REST"'
    buckets = [line for line in lines if line.startswith(f"{BASE}request_latency_bucket")]
    assert len(buckets) == 34
    # What equals a limit counts above it.
    assert buckets[:5] == [
        f'{BASE}request_latency_bucket{{{labels},le="{limit}"}} {count}'
        for limit, count in (("10", 0), ("18", 1), ("32.4", 1), ("58.32", 1), ("104.976", 2))
    ]
    assert buckets[-2:] == [
        f'{BASE}request_latency_bucket{{{labels},le="1.47476e+09"}} 2',
        f'{BASE}request_latency_bucket{{{labels},le="+Inf"}} 2',
    ]
    assert f"{BASE}request_latency_sum{{{labels}}} 110" in lines
    assert f"{BASE}request_latency_count{{{labels}}} 2" in lines


def test_all_that_is_observed_is_shown_and_can_be_parsed() -> None:
    metrics = Metrics()
    metrics.runtime('a"b\\c\nd', "Predict", 1e-3)
    metrics.examples("m", 3)
    metrics.examples("m", 4)
    metrics.warmup("m", 2, 0.5)
    metrics.batch([1e-3, 2e-3])
    metrics.logged("m", True)
    metrics.logged("m", False)
    # The parser gives every counter the ending that its own library would.
    samples = {
        (sample.name.removesuffix("_total"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
    }
    assert samples[f"{BASE}runtime_latency_sum", 'a"b\\c\nd', "Predict", "TF1"] == 1000
    assert samples[f"{BASE}request_example_count", "m"] == 7
    assert samples[f"{BASE}request_example_counts_bucket", "m", "4"] == 1
    assert samples[f"{BASE}model_warmup_records_read", "m", "OK"] == 2
    assert samples[f"{BASE}model_warmup_latency_sum", "m", "OK"] == 500_000
    assert samples[f"{BASE}batching_session:queuing_latency_count", ""] == 2
    assert samples[(f"{BASE}batching_session:wrapped_run_count",)] == 1
    assert samples[f"{BASE}request_log_count", "m", "OK"] == 1
    assert samples[f"{BASE}request_log_count", "m", "INTERNAL"] == 1


def test_threads_lose_no_count() -> None:
    metrics = Metrics()
    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(lambda: [metrics.examples("m", 1) for _ in range(5_000)])
    assert f'{BASE}request_example_count_total{{model="m"}} 40000' in metrics.text()


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    metrics = Metrics()
    for number in range(11_000):
        metrics.request(str(number), "predict", Entrypoint.REST, Code.NOT_FOUND, 0)
    lines = metrics.text().splitlines()
    assert len(lines) < 10_100
    assert f'{BASE}request_count{{model_name="",status=""}} 1000' in lines
