"""The record a run starts with: a new one, or that of the run it continues."""

from __future__ import annotations

from typing import Any

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.local.fingerprint import package_version
from headrace.pipelines.local.home import Home, new_run_id
from headrace.pipelines.local.records import RunRecord, State, now
from headrace.pipelines.local.spec import Pipeline, fill_arguments


def new_run(
    home: Home, pipeline: Pipeline, arguments: dict[str, Any], *, project: str, cache: bool
) -> RunRecord:
    """The record of a run that is about to start.

    Raises:
        ConfigError: The arguments do not fit the pipeline.
    """
    filled = fill_arguments(pipeline, arguments)
    return RunRecord(
        run_id=new_run_id(),
        pipeline=pipeline.name,
        project=project,
        home=str(home.path),
        arguments=filled,
        cache=cache,
        started=now(),
        versions=_versions(),
    )


def resumed_run(
    home: Home, pipeline: Pipeline, arguments: dict[str, Any], wanted: str
) -> RunRecord:
    """The record of an earlier run that is about to go on.

    Raises:
        ConfigError: There is no such run, it succeeded, or it was of something else.
    """
    record = home.find(wanted)
    if record.pipeline != pipeline.name:
        raise ConfigError(
            f"Run {record.run_id} is of pipeline `{record.pipeline}`, not of `{pipeline.name}`.",
            fix="Give the run id of a run of this pipeline.",
        )
    if record.state is State.SUCCEEDED:
        raise ConfigError(
            f"Run {record.run_id} has succeeded: there is nothing to resume.",
            fix="Start a new run; unchanged steps come from the cache.",
        )
    changed = [name for name, value in arguments.items() if record.arguments.get(name) != value]
    if changed:
        raise ConfigError(
            f"Run {record.run_id} was started with another value of `{changed[0]}`.",
            fix="Resume without arguments, or start a new run; finished steps that the change "
            "does not touch come from the cache.",
        )
    record.arguments = fill_arguments(pipeline, record.arguments)
    record.resumed += 1
    record.ended = None
    record.error = None
    record.versions = _versions()
    return record


def _versions() -> dict[str, str]:
    names = ("headrace", "kfp", "tfx", "tensorflow")
    return {name: version for name in names if (version := package_version(name))}
