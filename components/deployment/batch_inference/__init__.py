"""Predicts whole tables, shard by shard."""
