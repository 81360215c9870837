from datetime import UTC, datetime

import pytest

from headrace.pipelines.local.records import (
    ArtifactRecord,
    Outputs,
    RunRecord,
    State,
    TaskRecord,
)

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def make_task():
    def make(name, state=State.SUCCEEDED, parameters=None, **metadata):
        artifacts = {
            key: ArtifactRecord(name=key, type="system.Artifact", uri="", metadata=values)
            for key, values in metadata.items()
        }
        outputs = Outputs(parameters=parameters or {}, artifacts=artifacts)
        return TaskRecord(name=name, component=name, group=name, state=state, outputs=outputs)

    return make


@pytest.fixture
def make_run(tmp_path):
    def make(*tasks, state=State.SUCCEEDED):
        return RunRecord(
            run_id="20260102-030405-abcdef",
            pipeline="training",
            home=str(tmp_path),
            state=state,
            started=START,
            ended=START,
            tasks={task.name: task for task in tasks},
        )

    return make
