"""The model for a server in another environment, called as our own server calls it.

TensorFlow comes from Headrace's environment, behind the packages of the server's own.
"""

from __future__ import annotations

import base64
import os
import site
from collections.abc import Callable, Sequence

#: Model, SavedModel and Headrace's packages, given by the benchmark.
NAME, PATH, PACKAGES = "BENCH_MODEL", "BENCH_SAVED_MODEL", "BENCH_PACKAGES"


def load() -> Callable[[Sequence[str]], list[float]]:
    """A function from serialized tf.Examples, base64, to the values that the model predicts."""
    site.addsitedir(os.environ[PACKAGES])
    import numpy as np

    import headrace.components.shared.tensorflow_env  # noqa: F401
    from headrace.components.shared.signatures import EXAMPLES_SIGNATURE
    from headrace.serving.server import calls
    from headrace.serving.server.runtime.loader import Loader

    servable = Loader().load(os.environ[NAME], 1, os.environ[PATH])
    (alias,) = servable.signatures[EXAMPLES_SIGNATURE].inputs

    def predict(examples: Sequence[str]) -> list[float]:
        records = np.empty(len(examples), object)
        records[:] = [base64.b64decode(one, validate=True) for one in examples]
        (answer,) = calls.result(servable.run(EXAMPLES_SIGNATURE, {alias: records})).values()
        return answer.ravel().tolist()

    return predict
