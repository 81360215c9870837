"""The lines of a file in which its tasks are, for annotations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from headrace.pipelines.lint.pipeline import Task


def task_lines(path: Path, tasks: Iterable[Task]) -> dict[str, int]:
    """Line of each task's name, counted from 1, by the task's path."""
    text = path.read_text(encoding="utf-8")
    lines: dict[str, int] = {}
    for document in yaml.compose_all(text, Loader=yaml.CSafeLoader):
        top = _find(document, ["pipelineSpec"])
        for task in tasks:
            found = _find(top[1] if top else document, task.keys)
            if found:
                lines.setdefault(task.path, found[0].start_mark.line + 1)
    return lines


def _find(node: yaml.Node | None, keys: Sequence[str]) -> tuple[yaml.Node, yaml.Node] | None:
    """The node of the last key, and that of its value."""
    pair = None
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        pair = next((pair for pair in pairs if pair[0].value == key), None)
        node = pair[1] if pair else None
    return pair
