"""HR401 to HR406: conditions, exit tasks, loops and retries."""

from __future__ import annotations

import json
from collections.abc import Iterator

from headrace.pipelines.lint.model import Found, Settings, Severity, Target, rule
from headrace.pipelines.lint.pipeline import Pipeline, Task, runs_always

#: A fixed list up to this long is a loop that its author has counted.
_FEW = 10


@rule(
    "HR401",
    "skipped-producer",
    Severity.WARNING,
    "A task starts only after success: one behind a skipped group is left out without a word.",
    only=Target.KUBEFLOW,
)
def skipped_producer(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds tasks that wait for a task with a condition beside them."""
    for task in pipeline.tasks:
        if task.is_exit_task:
            continue
        for upstream in task.upstream():
            sibling = task.siblings.get(upstream)
            if sibling is not None and sibling.trigger_policy.condition:
                yield Found(
                    task.path,
                    f"The task needs `{upstream}`, which its condition may skip.",
                    "Put the task into the same dsl.If, or join branches with dsl.OneOf.",
                )


@rule(
    "HR402",
    "exit-task-input",
    Severity.WARNING,
    "An exit task runs after failures too, and then the output that it reads may not exist.",
    only=Target.KUBEFLOW,
)
def exit_task_input(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds exit tasks that read outputs of the tasks that they clean up after."""
    for task in pipeline.tasks:
        for name, producer in sorted(task.producers()):
            if task.is_exit_task:
                yield Found(
                    task.path,
                    f"The exit task's input `{name}` is an output of `{producer}`.",
                    "Give it parameters of the pipeline and the final status alone.",
                )


@rule(
    "HR403",
    "after-exit-task",
    Severity.ERROR,
    "Exit tasks become hooks, outside of the workflow's graph: nothing can wait for one.",
    only=Target.KUBEFLOW,
)
def after_exit_task(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds tasks that wait for an exit task."""
    for task in pipeline.tasks:
        for upstream in task.upstream():
            sibling = task.siblings.get(upstream)
            if sibling is not None and runs_always(sibling) and not task.is_exit_task:
                yield Found(
                    task.path,
                    f"The task waits for `{upstream}`, which runs as an exit hook.",
                    "Do not let tasks depend on one with ignore_upstream_failure().",
                )


@rule(
    "HR404",
    "lost-exit-task",
    Severity.WARNING,
    "A task has one exit hook: of several exit tasks behind it, the last by name runs.",
    only=Target.KUBEFLOW,
)
def lost_exit_task(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds exit tasks whose hook another one replaces."""
    for task in pipeline.tasks:
        winner = _replaced_by(task) if task.is_exit_task else None
        if winner:
            yield Found(
                task.path,
                f"The exit task never runs: `{winner}` takes its place behind the same tasks.",
                "Do the work of both in one exit task.",
            )


@rule(
    "HR405",
    "unbounded-loop",
    Severity.WARNING,
    "All iterations start at once, each with its own pods.",
)
def unbounded_loop(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds loops without a limit, but for those over a short fixed list."""
    for task in pipeline.tasks:
        iterator = task.spec.parameter_iterator
        is_loop = task.spec.HasField("parameter_iterator")
        if is_loop and task.spec.iterator_policy.parallelism_limit <= 0:
            if _count(iterator.items.raw) <= _FEW and iterator.items.raw:
                continue
            yield Found(
                task.path,
                "The loop has no limit on iterations that run at once.",
                "Write dsl.ParallelFor(…, parallelism=5), or what your cluster can take.",
            )


@rule(
    "HR406",
    "retry-at-once",
    Severity.WARNING,
    "Without a pause all retries are used up in the first seconds of an outage.",
)
def retry_at_once(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds retries whose first pause, and so every pause, is zero."""
    for task in pipeline.tasks:
        policy = task.spec.retry_policy
        pause = policy.backoff_duration
        if policy.max_retry_count > 0 and not (pause.seconds or pause.nanos):
            yield Found(
                task.path,
                f"The task is tried again {policy.max_retry_count} times without a pause.",
                "Write set_retry(…, backoff_duration='30s').",
            )


def _replaced_by(task: Task) -> str | None:
    """The exit task that gets the hooks of all that this one waits for."""
    exits = sorted(name for name, spec in task.siblings.items() if runs_always(spec))
    later = [name for name in exits if name > task.name]
    taken = {up: name for name in later for up in task.siblings[name].dependent_tasks}
    waits_for = list(task.spec.dependent_tasks)
    return taken[waits_for[0]] if waits_for and all(up in taken for up in waits_for) else None


def _count(raw: str) -> int:
    try:
        items = json.loads(raw or "[]")
    except ValueError:
        return 0
    return len(items) if isinstance(items, list) else 0


RULES = (
    skipped_producer,
    exit_task_input,
    after_exit_task,
    lost_exit_task,
    unbounded_loop,
    retry_at_once,
)
