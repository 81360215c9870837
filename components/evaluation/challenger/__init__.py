"""Paired bootstrap against the champion."""
