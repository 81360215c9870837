"""Sets up Headrace's environment in ``.venv``. Standard library only: it runs before anything is installed."""
