"""What was predicted, for whom and from which features: Parquet files that are always readable."""
