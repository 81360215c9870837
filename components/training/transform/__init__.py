"""tf.Transform: the same feature code in training and in serving."""
