"""Bundles with a trivial runtime: version v answers v times x."""

import json
import os
from pathlib import Path

from headrace.serving.edge.bundle import (
    POINTER,
    Description,
    signing_key,
    write_bundle,
    write_pointer,
)

#: Of the file that takes long to transfer.
LARGE = 400_000

#: `STARTING` runs when a model starts; NumPy's types, as the real runtime has them.
RUNTIME = """
import json
from pathlib import Path
import numpy as np
from .times import times

class EdgeModel:
    def __init__(self, bundle, variant=None, threads=1):
        bundle = Path(bundle)
        STARTING
        self.factor = json.loads((bundle / "float32.tflite").read_text())["factor"]

    def predict(self, row):
        return {"y": times(np.float32(self.factor), row["x"])}

    def predict_batch(self, columns):
        return {"y": times(self.factor, columns["x"])}
"""


class Versions:
    """The folder ``edge`` beside a pushed model.

    Args:
        folder: Where to write the bundles.
        home: Where the keys are.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home

    def push(
        self,
        version: int,
        *,
        starting: str = "pass",
        factor: float | None = None,
        model: str = "times",
        home: Path | None = None,
        numpy: str = ">=2",
    ) -> Path:
        """Writes a version and the pointer to it."""
        contents = self.folder.parent / f"contents-{version}-{model}"
        runtime = contents / "headrace_edge"
        runtime.mkdir(parents=True, exist_ok=True)
        (contents / "float32.tflite").write_text(
            json.dumps({"factor": version if factor is None else factor})
        )
        (contents / "empty").touch()
        (contents / "large").write_bytes(os.urandom(LARGE))
        (runtime / "__init__.py").write_text(RUNTIME.replace("STARTING", starting))
        (runtime / "times.py").write_text("def times(a, b):\n    return a * b\n")
        target = self.folder / str(version)
        key = signing_key(home or self.home)
        write_bundle(contents, target, describe(version, model, numpy), version=version, key=key)
        self.point(version)
        return target

    def point(self, version: int) -> None:
        """Writes the pointer."""
        (self.folder / POINTER).write_bytes(write_pointer(version))


def describe(version: int, model: str, numpy: str) -> Description:
    values = [0.0, 1.0, 2.5]
    return Description.model_validate(
        {
            "model": model,
            "feature_service": None,
            "runtime": {"ai_edge_litert": ">=2.2", "numpy": numpy},
            "raw_inputs": {"x": "float32"},
            "outputs": ["y"],
            "variants": {"float32": {"file": "float32.tflite", "inputs": [], "outputs": []}},
            "self_test": {
                "rows": [{"x": value} for value in values],
                "predictions": [[version * value] for value in values],
                "tolerance": 1e-5,
            },
            "default": "float32",
        }
    )
