"""Runs, schedules and uploads on a Kubeflow Pipelines server, through its own Python client."""
