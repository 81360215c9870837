"""Joins the labels with the features known at their time."""
