"""What an exported model answers to, and how missing values travel in named raw tensors."""

from __future__ import annotations

import numpy as np

#: Takes serialized tf.Examples.
EXAMPLES_SIGNATURE = "serving_default"
#: Takes one tensor per raw feature, by name.
RAW_SIGNATURE = "raw_tensors"
#: Takes one tensor per transformed feature, by name: the model without its preprocessing.
MODEL_SIGNATURE = "transformed_tensors"

#: Output name per task.
OUTPUT = {"binary_classification": "probability", "regression": "prediction"}

#: Missing value of an optional feature in named tensors; JSON clients send NaN, "" or this integer.
MISSING_INT = int(np.iinfo(np.int64).min)
MISSING_TEXT = ""
