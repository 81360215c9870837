import pytest
from kfp import compiler, dsl

from headrace.pipelines.local import spec
from headrace.pipelines.local.plan import plan

core = dsl.component(base_image="headrace/core:1", install_kfp_package=False)
tfx = dsl.component(base_image="registry/headrace/tfx:1", install_kfp_package=False)


@core
def ingest() -> str:
    return ""


@tfx
def train(data: str) -> str:
    return ""


@core
def gate(model: str) -> bool:
    return True


@core
def push(name: str):
    pass


@core
def notify(status: dsl.PipelineTaskFinalStatus):
    pass


@dsl.pipeline(name="sub")
def sub(data: str) -> str:
    return train(data=data).output


@dsl.pipeline(name="all")
def everything():
    with dsl.ExitHandler(notify()):
        data = ingest()
        model = sub(data=data.output)
        verdict = gate(model=model.output)
        with dsl.If(verdict.output == True):  # noqa: E712
            push(name="constant")
        with dsl.ParallelFor(["a", "b"]) as item:
            push(name=item).after(data)


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "all.yaml"
    compiler.Compiler().compile(everything, str(path))
    return plan(spec.load(path))


def test_names_and_order(steps):
    names = list(steps)

    assert set(names) == {"ingest", "sub.train", "gate", "push", "push-2", "notify"}
    for step in steps.values():
        assert all(names.index(up) < names.index(step.name) for up in step.upstream)


def test_upstream_crosses_dags_and_conditions_wait_for_what_they_read(steps):
    upstream = {name: set(step.upstream) for name, step in steps.items()}

    assert upstream["sub.train"] == {"ingest"}
    assert upstream["gate"] == {"sub.train"}
    assert upstream["push"] == {"gate"}
    assert upstream["push-2"] == {"ingest"}
    assert upstream["notify"] == {"push", "push-2"}


def test_what_most_wait_for_is_most_urgent(steps):
    urgency = [steps[name].urgency for name in ("ingest", "sub.train", "gate", "push", "notify")]

    assert urgency == [4, 3, 2, 1, 0]


def test_paths_loops_and_images(steps):
    assert steps["sub.train"].path == ("exit-handler-1", "sub")
    assert steps["sub.train"].needs_tfx
    assert not steps["ingest"].needs_tfx
    assert steps["push-2"].in_loop
    assert not steps["push"].in_loop
