"""Import this before TensorFlow or TFX: it settles what they read from the environment.

``tensorflow_transform`` otherwise switches ``tf.keras`` to Keras 2, in child processes too.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
