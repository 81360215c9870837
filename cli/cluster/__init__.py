"""Commands on a Kubeflow Pipelines server. One module per command or group."""
