"""``headrace features``: the feature store at work. One module per command."""
