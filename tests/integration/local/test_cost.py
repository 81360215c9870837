"""What a run takes is measured, priced, and remembered for runs that take it from the cache."""

from kfp import dsl

from headrace.pipelines.local.cost import Prices
from headrace.pipelines.local.records import State

PRICES = Prices(currency="EUR", cpu_hour=3600, memory_gb_hour=0)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def burns() -> int:
    import time

    while time.process_time() < 1:
        sum(range(10_000))
    return 1


@dsl.pipeline
def burning():
    burns()


def test_a_run_costs_what_its_steps_took(execute):
    first = execute(burning, prices=PRICES)
    spent = first.bill.run
    assert 1 <= spent.cpu_seconds < 60
    assert spent.memory_gb_seconds > 0
    assert spent.cost(PRICES) == spent.cpu_seconds

    again = execute(burning, prices=PRICES)
    assert again.tasks["burns"].state is State.CACHED
    assert again.bill.run.cost(PRICES) == 0
    assert again.bill.result == first.bill.result
    assert "with cached steps" in (again.folder / "report.html").read_text()
