"""The tf.Transform graph of a trained model as a list of NumPy steps, for devices."""
