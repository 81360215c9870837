"""What a Beam pipeline needs beside its options when its workers are other machines."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from headrace.components.shared import tfx_adapter
from headrace.components.shared.errors import ConfigError, StepError

WHERE = "platform.beam_pipeline_args.transform"
PORTABLE = "PortableRunner, FlinkRunner, SparkRunner and DataflowRunner do."


def make_pipeline(beam_args: list[str]) -> Any:
    """A Beam pipeline with the options of project.yaml; without any, one in this process.

    Raises:
        ConfigError: Beam refuses the options, or they name no folder that all workers see.
    """
    import apache_beam as beam

    if not beam_args:
        return beam.Pipeline(argv=list(tfx_adapter.EMBEDDED_BEAM))
    try:
        pipeline = beam.Pipeline(argv=beam_args)
    except ValueError as error:
        raise ConfigError(
            f"{WHERE}: {error}", fix="Correct the options; docs/how-to/big-data.md has examples."
        ) from error
    if not _temp_location(pipeline):
        raise ConfigError(
            f"{WHERE}: {beam_args} lacks --temp_location.",
            fix="Add --temp_location=, a folder or bucket that this step and every worker reach "
            "under the same name: examples go there, the graph comes back.",
        )
    return pipeline


@contextlib.contextmanager
def shared_folder(pipeline: Any) -> Iterator[str]:
    """A new folder below ``--temp_location``, or on this machine; it is gone afterwards."""
    import tensorflow as tf

    place = _temp_location(pipeline)
    if not place:
        with tempfile.TemporaryDirectory(prefix="headrace-transform-") as folder:
            yield folder
        return
    folder = f"{place.rstrip('/')}/headrace-transform-{uuid.uuid4().hex}"
    tf.io.gfile.makedirs(folder)
    try:
        yield folder
    finally:
        tf.io.gfile.rmtree(folder)


@contextlib.contextmanager
def sent_by_value(function: Callable[..., Any]) -> Iterator[None]:
    """Project files travel with the pipeline: workers have Headrace, but not ``preprocessing.py``.

    Args:
        function: A function of the project; the modules beside its own travel too.
    """
    from apache_beam.internal import cloudpickle

    folder = _folder(sys.modules[function.__module__])
    modules = [module for module in list(sys.modules.values()) if _folder(module) == folder]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def stage(shards: list[str], folder: str) -> list[str]:
    """Copies record files to where workers read them.

    Returns:
        The copies, in the order of ``shards``.
    """
    import tensorflow as tf

    copies = [f"{folder}/{Path(shard).name}" for shard in shards]
    for shard, copy in zip(shards, copies, strict=True):
        tf.io.gfile.copy(shard, copy)
    return copies


def fetch(source: str, target: Path) -> None:
    """Copies a folder, with all below it, from where workers wrote it."""
    import tensorflow as tf

    for folder, _, names in tf.io.gfile.walk(source):
        here = target / folder.removeprefix(source).strip("/")
        here.mkdir(parents=True, exist_ok=True)
        for name in names:
            tf.io.gfile.copy(f"{folder.rstrip('/')}/{name}", str(here / name), overwrite=True)


def run(pipeline: Any, result: str) -> None:
    """Runs the pipeline to its end.

    Args:
        pipeline: A Beam pipeline.
        result: A file that it must write.

    Raises:
        StepError: the cluster's job failed, or ended without ``result``.
    """
    import tensorflow as tf

    name = type(pipeline.runner).__name__
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:
        if not _temp_location(pipeline):
            raise
        raise StepError(
            f"Beam's job on {name} failed: {type(error).__name__}: {error}",
            fix="The log above has the workers' own error. Look whether the cluster of "
            f"{WHERE} is up, and its workers have the tfx image's packages.",
        ) from error
    if not tf.io.gfile.exists(result):
        raise StepError(
            f"Beam's job on {name} ended without an error, and without writing {result}.",
            fix=f"Choose a runner that runs every part of a pipeline: {PORTABLE}",
        )


def _temp_location(pipeline: Any) -> str | None:
    from apache_beam.options.pipeline_options import GoogleCloudOptions

    place: str | None = pipeline.options.view_as(GoogleCloudOptions).temp_location
    return place


def _folder(module: Any) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).parent if file else None
