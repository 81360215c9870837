"""The gate as a step of a compiled pipeline."""

from pathlib import Path

from kfp import compiler, dsl

from headrace.components.monitoring.feature_check.component import feature_check
from headrace.feature_store.repo import read_repo
from headrace.pipelines.local import runner, warm
from headrace.pipelines.local.records import State

from .conftest import NOW

SERVICE = "flight_delay_v1"


@dsl.pipeline(name="checked")
def checked(repo_code: dict, root: str, filled: str, later: str):
    options = {"repo_code": repo_code, "root": root, "service": SERVICE, "samples": 200}
    first = feature_check(**options, as_of=filled)
    feature_check(**options, as_of=later).after(first)


def test_a_pipeline_blesses_what_agrees(repo, tmp_path, monkeypatch):
    # The step needs few libraries: loading all of them would be most of the test.
    modules = ("kfp.dsl.executor_main", "headrace.components.shared.errors")
    monkeypatch.setitem(warm.PRELOAD, warm.CORE, modules)
    compiler.Compiler().compile(checked, str(tmp_path / "checked.yaml"))
    arguments = {
        "repo_code": read_repo(repo, "feature_store.yaml"),
        "root": str(repo),
        "filled": NOW.isoformat(),
        "later": "2013-02-01T19:00:00",
    }
    record = runner.run(tmp_path / "checked.yaml", arguments, home=tmp_path / "home")
    assert record.state is State.SUCCEEDED
    for name, blessed, verdict in (
        ("feature-check", True, "offline and online agree"),
        ("feature-check-2", False, "values in 200 rows differ"),
    ):
        outputs = record.tasks[name].outputs
        assert outputs.parameters["blessed"] is blessed
        assert verdict in outputs.parameters["verdict"]
        assert (outputs.artifacts["metrics"].metadata["differences"] == 0) is blessed
        assert SERVICE in Path(outputs.artifacts["report"].uri).read_text()
        assert SERVICE in Path(outputs.artifacts["summary"].uri).read_text()
