import io
from pathlib import Path

import pytest
from rich.console import Console

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.local import comparison, display, report
from headrace.pipelines.local.cost import Prices, Usage, read_prices
from headrace.pipelines.local.records import State

PRICES = Prices(currency="EUR", cpu_hour=0.05, memory_gb_hour=0.01, gpu_hour=2)
HOUR = 3600
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "prices.yaml"


@pytest.fixture
def run(make_run, make_task):
    ran = Usage.of(HOUR, cpu_seconds=2 * HOUR, peak_memory_mb=3000, gpus=1)
    cached = Usage.of(HOUR, cpu_seconds=HOUR, peak_memory_mb=1000)
    return make_run(
        make_task("trainer", usage=ran),
        make_task("ingest", State.CACHED, usage=cached),
        make_task("pusher", State.FAILED, usage=Usage(cpu_seconds=60)),
        prices=PRICES,
    )


def test_a_run_pays_for_what_ran_and_its_result_for_what_was_cached_too(run):
    trainer = 2 * 0.05 + 3 * 0.01 + 2
    assert run.bill.run.cost(PRICES) == pytest.approx(trainer + 0.05 / 60)
    assert run.bill.result.cost(PRICES) == pytest.approx(trainer + 0.05 + 0.01)


def test_the_run_is_shown_with_its_cost(run):
    console = Console(width=200, record=True, file=io.StringIO())
    display.show(run, console)
    text = console.export_text()
    assert "2.13 EUR" in text
    assert "2.19 EUR with cached steps" in text
    page = report.render(run)
    assert page.count("2.13 EUR") == 3  # on top, at the trainer, in the sum
    assert "10800.0 GB s" in page


def test_runs_are_compared_by_compute_and_cost(run, make_run, make_task):
    without = make_run(make_task("trainer", usage=Usage(cpu_seconds=HOUR)))
    rows = {row.name: row for row in comparison.compare(without, run).compute}
    assert rows["run cpu_seconds"].change == HOUR + 60
    assert rows["run cost EUR"].first is None
    assert rows["result gpu_seconds"].second == HOUR


def test_without_prices_compute_is_shown_and_no_cost(run):
    run.prices = None
    page = report.render(run)
    assert "10800.0 GB s" in page
    assert "cost" not in page


def test_the_example_of_a_price_file_is_one():
    prices = read_prices(EXAMPLE)
    assert prices.currency == "EUR"
    assert prices.cpu_hour < prices.gpu_hour


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{currency: EUR, cpu_hours: 1, memory_gb_hour: 1}", "cpu_hours: unknown key"),
        ("{currency: EUR, cpu_hour: -1, memory_gb_hour: 1}", "cpu_hour: "),
        ("{currency: EUR, cpu_hour: 1}", "memory_gb_hour: "),
        ("{currency: EUR, cpu_hour: .nan, memory_gb_hour: 1}", "cpu_hour: "),
        ("0.05", "holds no keys"),
        ("{", "cannot be read"),
    ],
)
def test_a_price_file_that_does_not_fit_is_refused(tmp_path, text, told):
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_prices(file)
    assert str(file) in caught.value.message
    assert told in caught.value.message


def test_a_price_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_prices(tmp_path / "none.yaml")
