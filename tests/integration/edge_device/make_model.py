"""Exports y = factor * x as TensorFlow Lite; run as a script: ``make_model.py FOLDER FACTOR …``."""

import sys
from pathlib import Path


def main(folder: Path, factors: list[float]) -> None:
    """Writes ``<factor>.tflite`` for each factor."""
    import tensorflow as tf

    for factor in factors:
        module = tf.Module()
        module.factor = tf.Variable(factor)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(x, module=module):
            return {"y": x * module.factor}

        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [serve.get_concrete_function()], module
        )
        (folder / f"{factor:g}.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]), [float(word) for word in sys.argv[2:]])
