"""JSON in and out: ``read_object`` first, then what the method wants; pure functions.

Values that JSON does not know (``NaN``), error texts and the layout of answers are TensorFlow
Serving's.
"""
