"""A model as a C header, for TensorFlow Lite for Microcontrollers."""
