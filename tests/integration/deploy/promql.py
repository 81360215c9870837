"""Prints what each PromQL expression of standard input (a JSON list) reads.

For each expression the names of its metrics, and the labels that it filters or groups by. Runs in
the environment of ``requirements/checks.txt``.
"""

import json
import sys

import promql_parser as promql


def nodes(node):
    """The expression and everything in it."""
    yield node
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for part in [*parts, *getattr(node, "args", [])]:
        if part is not None:
            yield from nodes(part)


def read(text):
    """Metrics and labels of one expression."""
    metrics, labels = set(), set()
    for node in nodes(promql.parse(text)):
        if isinstance(node, promql.VectorSelector):
            metrics.add(node.name)
            labels |= {matcher.name for matcher in node.matchers.matchers}
        modifier = getattr(node, "modifier", None)
        labels |= set(getattr(modifier, "labels", None) or [])
    return {"metrics": sorted(metrics), "labels": sorted(labels)}


json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
