"""Imports what TFX steps need, so that a warm process does it once for all of them.

Only imports: a process that has run TensorFlow or Beam must not be forked.
"""

from headrace.components.shared import tfx_adapter

tfx_adapter.lean_imports()

import keras_tuner  # noqa: E402, F401
import scipy.stats  # noqa: E402, F401
import sklearn.metrics  # noqa: E402, F401
import tensorflow_data_validation  # noqa: E402, F401
import tensorflow_model_analysis.api.model_eval_lib  # noqa: E402, F401
import tensorflow_transform  # noqa: E402, F401
import tfx.components.schema_gen.executor  # noqa: E402
import tfx.components.transform.executor  # noqa: E402, F401
from tensorflow_data_validation.statistics import stats_impl  # noqa: E402, F401
from tfx_bsl.coders import example_coder  # noqa: E402, F401
