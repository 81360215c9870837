"""Steps of a run out of KFP's account of its workflow."""

from __future__ import annotations

from datetime import UTC, datetime

import kfp_server_api as kfp

from headrace.pipelines.cluster.steps import steps, task_count

EPOCH = datetime.fromtimestamp(0, UTC)
SPEC = {
    "root": {"dag": {"tasks": {"group": {"componentRef": {"name": "comp-group"}}}}},
    "components": {
        "comp-group": {"dag": {"tasks": {"train": {"componentRef": {"name": "comp-train"}}}}},
        "comp-train": {"executorLabel": "exec-train"},
    },
}


def detail(name, state="SUCCEEDED", minute=1, **more):
    start = datetime(2026, 1, 1, 0, minute, tzinfo=UTC) if minute else EPOCH
    return kfp.V2beta1PipelineTaskDetail(
        display_name=name, state=state, start_time=start, end_time=EPOCH, **more
    )


def run(*details, spec=None):
    found = kfp.V2beta1RunDetails(task_details=list(details))
    return kfp.V2beta1Run(run_id="r", pipeline_spec=spec, run_details=found)


def test_groups_are_no_steps():
    found = run(detail("group"), detail("train"), detail("train-driver"), spec=SPEC)
    assert [step.name for step in steps(found)] == ["train"]
    assert task_count(found) == 1


def test_a_pipeline_beside_a_platform_specification():
    assert task_count(run(spec={"pipeline_spec": SPEC, "platform_spec": {}})) == 1


def test_the_newest_attempt_counts_and_order_is_that_of_starting():
    found = steps(
        run(
            detail("later", minute=9),
            detail("again", "RUNNING", minute=5),
            detail("again", "FAILED", minute=2),
            detail("waiting", "PENDING", minute=0),
        )
    )
    assert [step.name for step in found] == ["again", "later", "waiting"]
    assert found[0].state == "RUNNING"
    assert found[2].started is None
    assert all(step.ended is None for step in found)


def test_pods_are_the_steps_own_and_those_below():
    child = kfp.PipelineTaskDetailChildTask(pod_name="below")
    (step,) = steps(run(detail("train", pod_name="own", child_tasks=[child])))
    assert step.pods == ("own", "below")


def test_a_run_that_has_not_begun():
    assert steps(kfp.V2beta1Run(run_id="r")) == []
    assert task_count(kfp.V2beta1Run(run_id="r")) == 0
