"""The component suite: ``components/<category>/<name>/`` with the interface in ``component.py``."""
