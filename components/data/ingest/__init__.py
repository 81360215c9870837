"""Reads sources into clean Parquet tables with a provenance record."""
