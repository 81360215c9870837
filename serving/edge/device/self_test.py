"""Whether a bundle predicts here what it predicted where it was made.

``python -m headrace.serving.edge.device.self_test BUNDLE VARIANT``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from headrace.components.shared.errors import DataError
from headrace.serving.edge.bundle import MANIFEST, Manifest
from headrace.serving.edge.device.runtime import explained, load


def main(bundle: Path, variant: str) -> str | None:
    """Predicts the test rows of a checked bundle; returns what is wrong, if anything is."""
    manifest = Manifest.from_json((bundle / MANIFEST).read_bytes(), where=str(bundle))
    test = manifest.self_test
    own = manifest.variants[variant].tolerance
    tolerance = test.tolerance if own is None else own
    try:
        with explained():
            model = load(bundle, variant)
            answers = [model.predict(row) for row in test.rows]
    except DataError as error:
        return error.message
    for number, (found, expected) in enumerate(zip(answers, test.predictions, strict=True)):
        for name, value in zip(manifest.outputs, expected, strict=True):
            difference = np.abs(np.ravel(found[name]) - np.ravel(value)).max()
            if not difference <= tolerance:  # also when it is not a number
                return f"row {number}, {name}: expected {value}, got {found[name]}"
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
