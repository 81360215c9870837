"""Sets up Headrace's environment in ``.venv``, with nothing but the standard library."""
