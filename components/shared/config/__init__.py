"""``project.yaml`` as typed models, one module per concern; see ``project.py`` for the whole."""
