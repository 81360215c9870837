"""The one door to TFX: runs an executor on plain folders, without drivers or metadata store."""

from __future__ import annotations

import json
import sys
import tempfile
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.components.shared import tensorflow_env  # noqa: F401

#: Beam in this process. Naming the runner keeps Beam from downloading its Prism binary.
EMBEDDED_BEAM = ("--runner=FnApiRunner",)


@dataclass(frozen=True)
class Artifact:
    """A TFX artifact as a folder.

    Attributes:
        kind: Class name in ``tfx.types.standard_artifacts``.
        path: The folder.
        splits: Split names, for artifacts that have them.
        properties: Custom properties such as ``payload_format``.
    """

    kind: str
    path: Path
    splits: tuple[str, ...] = ()
    properties: Mapping[str, str | int] = field(default_factory=dict)


def execute(
    executor: str,
    *,
    inputs: Mapping[str, Artifact],
    outputs: Mapping[str, Artifact],
    properties: Mapping[str, Any],
    beam_args: tuple[str, ...] = EMBEDDED_BEAM,
) -> None:
    """Runs a TFX executor.

    Args:
        executor: ``package.module.Class`` of the executor.
        inputs: Input key to artifact.
        outputs: Output key to artifact; the folders are created, and must be empty.
        properties: Execution properties; values that are not text or numbers become JSON.
        beam_args: Beam pipeline options, for executors that use Beam.
    """
    lean_imports()
    from tfx.dsl.components.base import base_beam_executor, base_executor
    from tfx.utils import import_utils

    implementation = import_utils.import_class_by_path(executor)
    for artifact in outputs.values():
        artifact.path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="headrace-tfx-") as scratch:
        if issubclass(implementation, base_beam_executor.BaseBeamExecutor):
            context: Any = base_beam_executor.BaseBeamExecutor.Context(
                tmp_dir=scratch, unique_id="1", make_beam_pipeline_fn=lambda: _pipeline(beam_args)
            )
        else:
            context = base_executor.BaseExecutor.Context(tmp_dir=scratch, unique_id="1")
        implementation(context).Do(
            {key: [_standard(value)] for key, value in inputs.items()},
            {key: [_standard(value)] for key, value in outputs.items()},
            {key: _property(value) for key, value in properties.items()},
        )


def lean_imports() -> None:
    """Keeps ``import tfx.components.x.executor`` from importing every TFX component.

    ``tfx/components/__init__.py`` imports them all; a stub package with the same path does not.
    Also puts back the TFMA names that its ``__init__`` lists but does not import.
    """
    import tensorflow_model_analysis as tfma
    import tfx
    from tensorflow_model_analysis import sdk
    from tensorflow_model_analysis.proto import config_pb2

    if "tfx.components" not in sys.modules:
        stub = types.ModuleType("tfx.components")
        stub.__path__ = [str(Path(tfx.__path__[0]) / "components")]
        sys.modules["tfx.components"] = stub
    names = [
        *config_pb2.DESCRIPTOR.message_types_by_name,
        *config_pb2.DESCRIPTOR.enum_types_by_name,
    ]
    for module in (tfma, sdk):
        for name in names:
            if not hasattr(module, name):
                setattr(module, name, getattr(config_pb2, name))


def _pipeline(arguments: tuple[str, ...]) -> Any:
    import apache_beam as beam

    return beam.Pipeline(argv=list(arguments))


def _standard(artifact: Artifact) -> Any:
    from tfx.types import artifact_utils, standard_artifacts

    result = getattr(standard_artifacts, artifact.kind)()
    result.uri = str(artifact.path)
    if artifact.splits:
        result.split_names = artifact_utils.encode_split_names(list(artifact.splits))
    for key, value in artifact.properties.items():
        if isinstance(value, int):
            result.set_int_custom_property(key, value)
        else:
            result.set_string_custom_property(key, value)
    return result


def _property(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else json.dumps(value)
