"""Headrace: one Kubeflow Pipelines component suite with a feature store.

The subpackages live in the repository's top-level folders (``components``, ``pipelines``,
``cli`` …); ``setup.py`` maps them here.
"""

__version__ = "0.1.0"
