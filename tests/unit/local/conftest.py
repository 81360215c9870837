from datetime import UTC, datetime, timedelta

import pytest

from headrace.pipelines.local.records import (
    ArtifactRecord,
    ErrorRecord,
    Outputs,
    RunRecord,
    State,
    TaskRecord,
)

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def task(name, state=State.SUCCEEDED, upstream=(), at=0.0, seconds=1.0, **fields):
    is_started = state not in {State.PENDING, State.SKIPPED}
    started = START + timedelta(seconds=at) if is_started else None
    return TaskRecord(
        name=name,
        group=fields.pop("group", name),
        component=name,
        state=state,
        upstream=list(upstream),
        started=started,
        ended=started + timedelta(seconds=seconds) if started else None,
        seconds=seconds if state is State.SUCCEEDED else 0.0,
        **fields,
    )


@pytest.fixture
def make_task():
    return task


@pytest.fixture
def make_run(tmp_path):
    def make(*tasks, run_id="20260102-030405-abcdef", state=State.SUCCEEDED, **fields):
        return RunRecord(
            run_id=run_id,
            pipeline="training",
            home=str(tmp_path / "home"),
            state=state,
            started=START,
            ended=START + timedelta(seconds=75),
            tasks={one.name: one for one in tasks},
            **fields,
        )

    return make


@pytest.fixture
def example(make_run, tmp_path):
    """A failed run with everything a display has to cope with."""
    folder = tmp_path / "home" / "steps" / "evaluator" / "0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "page").write_text('<html><script>alert(1)</script><b>"slices"</b></html>')
    (folder / "big").write_text("<p>" + "x" * 400_000 + "</p>")

    def artifact(name, kind, **metadata):
        return ArtifactRecord(
            name=name, type=f"system.{kind}", uri=str(folder / name), metadata=metadata
        )

    error = ErrorRecord(
        type="GateError",
        message="AUC <b>0.61</b> is below 0.70.",
        fix="Improve the model.",
        log=str(tmp_path / "home" / "runs" / "x" / "logs" / "gate.log"),
    )
    evaluated = Outputs(
        parameters={"verdict": "not blessed: AUC", "blessed": False, "auc": 0.61234567},
        artifacts={
            "metrics": artifact("metrics", "Metrics", auc=0.61234567, rows=1000),
            "page": artifact("page", "HTML"),
            "big": artifact("big", "HTML"),
        },
    )
    trained = Outputs(
        parameters={"config": {"text": "long " * 100}},
        artifacts={"remote": ArtifactRecord(name="r", type="system.Model", uri="gs://b/m")},
    )
    return make_run(
        task("ingest", State.CACHED, at=0),
        task("trainer", upstream=["ingest"], at=1, seconds=60, outputs=trained, attempts=2),
        task("evaluator", upstream=["ingest", "trainer"], at=61, outputs=evaluated),
        task("gate", State.FAILED, ["evaluator"], at=62, error=error),
        task("pusher", State.SKIPPED, ["gate", "trainer"], reason="gate did not succeed"),
        task("slice.0", group="slice", at=3, upstream=["ingest"]),
        task("slice.1", State.FAILED, group="slice", at=3, upstream=["ingest"]),
        state=State.FAILED,
        project="flights",
        arguments={"name": "<script>", "number": 1.5},
        peak_memory_mb=2345.6,
        versions={"kfp": "2.17.0"},
        error=error,
    )
