"""Puts a blessed model where TensorFlow Serving looks."""
