"""Anomalies, drift and skew that block."""
