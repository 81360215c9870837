"""The feature store: what Headrace adds to Feast, offline, online and in between."""
