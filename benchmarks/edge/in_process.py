"""TensorFlow with the same model part: ``in_process.py SAVED_MODEL BUNDLE VARIANT ROW``.

Once as fast as TensorFlow can be called from Python, and once as its guides do it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.edge.device import peak_memory, spent


def main() -> None:
    """Answers once, then often, in both ways."""
    path, bundle, variant, row = *sys.argv[1:4], json.loads(sys.argv[4])
    import tensorflow as tf

    from headrace.components.shared.signatures import MODEL_SIGNATURE
    from headrace.serving.edge.runtime import EdgeModel
    from headrace.serving.server.runtime.session import SessionModel

    features = EdgeModel(bundle, variant=variant).transform(row)
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1)
    session = SessionModel(path, config)
    signature = session.signatures[MODEL_SIGNATURE]
    feeds = tuple(spec.name for spec in signature.inputs.values())
    run = session.runner(feeds, tuple(spec.name for spec in signature.outputs.values()))
    infos = session.signature_def_map.signature_def[MODEL_SIGNATURE].inputs
    arrays = {name: _shaped(features[name], infos[name]) for name in signature.inputs}
    values = list(arrays.values())
    answer = float(run(values)[0].item())
    first = time.time()
    found = {"answer": answer, "first": first, "model": spent(lambda: run(values))}
    found["memory"] = peak_memory()
    eager = tf.saved_model.load(path).signatures[MODEL_SIGNATURE]
    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    found["eager"] = spent(lambda: eager(**tensors))
    print(json.dumps(found))


def _shaped(values: Any, info: Any) -> Any:
    """A feature in the shape and type of a signature's input."""
    import tensorflow as tf

    shape = [-1, *(dim.size for dim in info.tensor_shape.dim[1:])]
    return values.reshape(shape).astype(tf.as_dtype(info.dtype).as_numpy_dtype)


if __name__ == "__main__":
    main()
