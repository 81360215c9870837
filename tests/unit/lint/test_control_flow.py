import pytest
from kfp import dsl

IMAGE = "registry.example/step@sha256:" + "0" * 64
CONDITION = {"condition": "inputs.parameter_values['size'] == 1.0"}


@dsl.container_component
def work(name: str, result: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=["run"], args=[name, result])


@dsl.container_component
def note(text: str = ""):
    return dsl.ContainerSpec(image=IMAGE, command=["run"], args=["note"])


@pytest.mark.parametrize("edge", ["inputs", "dependentTasks"])
def test_a_task_behind_a_condition(lint, of, draft, edge):
    if edge == "inputs":
        del draft.tasks["use"]["dependentTasks"]
    else:
        del draft.tasks["use"]["inputs"]["artifacts"]
    assert not of("HR401", lint(draft.document))
    draft.tasks["make"]["triggerPolicy"] = CONDITION
    message = "The task needs `make`, which its condition may skip."
    assert of("HR401", lint(draft.document)) == [("use", message)]


def test_tasks_inside_a_condition_and_joined_branches(lint_compiled, of):
    @dsl.pipeline(name="example")
    def example(wanted: bool):
        with dsl.If(wanted == True):  # noqa: E712
            first = work(name="a")
            note(text=first.output)
        with dsl.Else():
            second = work(name="b")
        note(text=dsl.OneOf(first.output, second.output))

    assert not of("HR401", lint_compiled(example))


def test_an_exit_task_that_reads_an_output(lint_compiled, of):
    @dsl.pipeline(name="example")
    def example():
        note(text=work(name="a").output).ignore_upstream_failure()

    message = "The exit task's input `text` is an output of `work`."
    assert of("HR402", lint_compiled(example)) == [("note", message)]


def test_an_exit_task_that_reads_parameters(lint_compiled, of):
    @dsl.pipeline(name="example")
    def example(text: str):
        with dsl.ExitHandler(note(text=text)):
            work(name="a")

    findings = lint_compiled(example)
    assert not [finding for finding in findings if finding.rule.startswith("HR4")]


def test_a_task_that_waits_for_an_exit_task(lint, of, draft):
    draft.exit_task("end", after=["make"])
    assert not of("HR403", lint(draft.document))
    draft.tasks["use"]["dependentTasks"] = ["make", "end"]
    message = "The task waits for `end`, which runs as an exit hook."
    assert of("HR403", lint(draft.document)) == [("use", message)]


def test_two_exit_tasks_behind_one_task(lint, of, draft):
    draft.exit_task("end", after=["make"])
    draft.exit_task("other", after=["use"])
    assert not of("HR404", lint(draft.document))
    draft.tasks["other"]["dependentTasks"] = ["make"]
    message = "The exit task never runs: `other` takes its place behind the same tasks."
    assert of("HR404", lint(draft.document)) == [("end", message)]


def looping(items, parallelism=None):
    @dsl.pipeline(name="example")
    def example(names: list):
        with dsl.ParallelFor(items or names, parallelism=parallelism) as name:
            work(name=name)

    return example


@pytest.mark.parametrize("items", [None, [str(number) for number in range(11)]])
def test_a_loop_without_limit(lint_compiled, of, items):
    [(task, message)] = of("HR405", lint_compiled(looping(items)))
    assert task.startswith("for-loop-")
    assert message == "The loop has no limit on iterations that run at once."


@pytest.mark.parametrize(("items", "parallelism"), [(None, 3), (["a", "b"], None)])
def test_loops_that_are_short_or_limited(lint_compiled, of, items, parallelism):
    assert not of("HR405", lint_compiled(looping(items, parallelism)))


def test_tasks_in_groups_have_a_path(lint_compiled):
    found = {finding.task for finding in lint_compiled(looping(["a", "b"]))}
    assert found == {"for-loop-2/work"}


@pytest.mark.parametrize(("pause", "count"), [("0s", 1), ("30s", 0), ("0.5s", 0)])
def test_a_retry_without_pause(lint, of, draft, pause, count):
    draft.tasks["use"]["retryPolicy"] = {"maxRetryCount": 2, "backoffDuration": pause}
    message = "The task is tried again 2 times without a pause."
    assert of("HR406", lint(draft.document)) == [("use", message)] * count


def test_the_default_of_set_retry_has_no_pause(lint_compiled, of):
    @dsl.pipeline(name="example")
    def example():
        note().set_retry(3)

    assert [task for task, _ in of("HR406", lint_compiled(example))] == ["note"]
