"""What a bundle holds besides the model's files, and what its manifest says."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from headrace.components.deployment.edge_export.preprocessing import writer
from headrace.components.deployment.edge_export.source import Graph
from headrace.components.shared import files
from headrace.components.shared.config.edge import Variant as Name
from headrace.serving.edge.bundle import Description, SelfTest, Variant
from headrace.serving.edge.runtime.preprocessing import Preprocessing

PREPROCESSING = "preprocessing.json"
_TEST_ROWS = 16
#: Least versions that the files were tried with.
_RUNTIME = {"ai_edge_litert": ">=2.2", "numpy": ">=2"}
_ONNX_RUNTIME = {"onnxruntime": ">=1.24", "numpy": ">=2"}
#: Of variants that have no limit of their own.
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Target:
    """What a bundle is for.

    Attributes:
        name: Model name.
        feature_service: That the model was trained on.
        raw_inputs: Raw feature to its type: ``float32``, ``int64`` or ``string``.
        output: Name of what the model answers.
    """

    name: str
    feature_service: str | None
    raw_inputs: dict[str, Any]
    output: str


def prepare(folder: Path, loaded: Any, graph: Graph) -> dict[str, str]:
    """Writes what every variant needs: the runtime, an example, the preprocessing.

    Args:
        folder: The bundle's contents.
        loaded: SavedModel that is loaded.
        graph: What is converted; when it is whole there is no preprocessing beside it.

    Returns:
        Raw feature to its type: ``float32``, ``int64`` or ``string``.
    """
    from headrace.serving.edge import runtime

    with files.writing(folder):
        folder.mkdir(parents=True)
        shutil.copytree(
            Path(runtime.__file__).parent,
            folder / "headrace_edge",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copyfile(Path(__file__).parent / "templates" / "example.txt", folder / "example.py")
    if graph.whole:
        return {name: spec.dtype.name for name, spec in graph.inputs.items()}
    return writer.write(loaded, folder / PREPROCESSING)


def feeds(folder: Path, graph: Graph, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the graph takes for these rows, as a device would make it.

    Args:
        folder: The bundle's contents.
        graph: What is converted.
        raw: Named raw tensors of shape ``[rows]``.
    """
    given = raw if graph.whole else Preprocessing.load(folder / PREPROCESSING).transform(raw)
    return {
        name: given[name].reshape(-1, *spec.shape[1:]).astype(spec.dtype.as_numpy_dtype)
        for name, spec in graph.inputs.items()
    }


def describe(
    target: Target, table: pl.DataFrame, answers: np.ndarray, variants: Mapping[Name, Variant]
) -> Description:
    """The manifest without what only the push knows.

    Args:
        target: What the bundle is for.
        table: Raw columns of the test split; some rows become the self-test.
        answers: The SavedModel's, of shape ``[rows]``.
        variants: By name; the last one, the smallest, is the default.
    """
    chosen = np.linspace(0, len(table) - 1, min(_TEST_ROWS, len(table))).astype(int)
    runtime: dict[str, str] = {}
    for name in variants:
        runtime |= _ONNX_RUNTIME if name == "onnx" else _RUNTIME
    return Description(
        model=target.name,
        feature_service=target.feature_service,
        runtime=runtime,
        raw_inputs=target.raw_inputs,
        outputs=[target.output],
        variants={**variants},
        self_test=SelfTest(
            rows=table.select(sorted(target.raw_inputs))[chosen].to_dicts(),
            predictions=[[float(answers[row])] for row in chosen],
            tolerance=_TOLERANCE,
        ),
        default=list(variants)[-1],
    )
