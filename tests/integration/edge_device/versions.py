"""Bundles of a model that answers v times x in version v."""

import os
import shutil
from pathlib import Path

from headrace.serving.edge.bundle import (
    POINTER,
    Description,
    signing_key,
    write_bundle,
    write_pointer,
)

RUNTIME = Path(__file__).parents[3] / "serving" / "edge" / "runtime"
#: Of a file that takes long to transfer.
LARGE = 400_000


class Versions:
    """The folder ``edge`` beside a pushed model.

    Args:
        folder: Where to write the bundles.
        home: Where the keys are.
        models: Holds ``<factor>.tflite``.
    """

    def __init__(self, folder: Path, home: Path, models: Path) -> None:
        self.folder = folder
        self.home = home
        self.models = models

    def push(
        self,
        version: int,
        *,
        starting: str = "",
        factor: float | None = None,
        model: str = "times",
        home: Path | None = None,
        numpy: str = ">=2",
    ) -> Path:
        """Writes a version and the pointer to it.

        Args:
            version: Its number.
            starting: What the runtime does first, as it is started.
            factor: What the model really multiplies by.
            model: Its name.
            home: Where the key is that signs.
            numpy: Which versions of NumPy it asks for.
        """
        contents = self.folder.parent / f"contents-{version}-{model}"
        runtime = contents / "headrace_edge"
        shutil.rmtree(contents, ignore_errors=True)
        shutil.copytree(RUNTIME, runtime, ignore=shutil.ignore_patterns("__pycache__"))
        with (runtime / "__init__.py").open("a") as stream:
            stream.write(f"\n{starting}\n")
        file = self.models / f"{version if factor is None else factor:g}.tflite"
        shutil.copyfile(file, contents / "float32.tflite")
        (contents / "empty").touch()
        (contents / "large").write_bytes(os.urandom(LARGE))
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
    tensor = {"shape": [-1], "dtype": "float32"}
    float32 = {
        "file": "float32.tflite",
        "inputs": [{"name": "x", **tensor}],
        "outputs": [{"name": "y", **tensor}],
    }
    return Description.model_validate(
        {
            "model": model,
            "feature_service": None,
            "runtime": {"ai_edge_litert": ">=2.2", "numpy": numpy},
            "raw_inputs": {"x": "float32"},
            "outputs": ["y"],
            "variants": {"float32": float32},
            "self_test": {
                "rows": [{"x": value} for value in values],
                "predictions": [[version * value] for value in values],
                "tolerance": 1e-5,
            },
            "default": "float32",
        }
    )
