"""Lays a run's steps out in layers, for the report's picture."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace.pipelines.local.records import RunRecord, State, TaskRecord

WIDTH, HEIGHT = 172, 46
#: Room for an edge that passes through a row.
_PASSAGE = 10
_GAP_X, _GAP_Y = 22, 40
_PASS = ">"
_SWEEPS = 6
#: When iterations of a loop differ, the most telling state stands for all.
_PRECEDENCE = (
    State.FAILED,
    State.INTERRUPTED,
    State.RUNNING,
    State.SUCCEEDED,
    State.CACHED,
    State.PENDING,
    State.SKIPPED,
)


@dataclass(frozen=True)
class Node:
    """A step, or all iterations of one, with its place in the picture."""

    name: str
    anchor: str
    state: State
    count: int
    seconds: float
    x: float
    y: float


@dataclass(frozen=True)
class Graph:
    """The picture: nodes, the edges' SVG paths, and the size."""

    nodes: list[Node]
    edges: list[str]
    width: float
    height: float


def layout(run: RunRecord) -> Graph:
    """Places every step below all steps it waits for."""
    groups: dict[str, list[TaskRecord]] = defaultdict(list)
    for task in run.tasks.values():
        groups[task.group or task.name].append(task)
    upstream = _reduced(
        {
            name: {up for task in tasks for up in task.upstream if up in groups}
            for name, tasks in groups.items()
        }
    )
    rank = _ranks(upstream)
    chains = _chains(upstream, rank)
    rows = _ordered(_rows(rank, chains), chains)
    place = _places(rows)
    nodes = [_node(name, groups[name], place[name]) for name in groups]
    edges = [_curve([(*place[name], _width(name)) for name in chain]) for chain in chains]
    return Graph(
        nodes,
        edges,
        width=max(map(_row_width, rows), default=0) + _GAP_X,
        height=len(rows) * (HEIGHT + _GAP_Y) + _GAP_Y / 2,
    )


def _node(name: str, tasks: list[TaskRecord], place: tuple[float, float]) -> Node:
    states = {task.state for task in tasks}
    state = next(state for state in _PRECEDENCE if state in states)
    seconds = sum(task.seconds for task in tasks)
    return Node(name, tasks[0].name, state, len(tasks), seconds, *place)


def _reduced(upstream: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Without the edges that a longer way implies."""
    known: dict[str, set[str]] = {}

    def ancestors(name: str) -> set[str]:
        if name not in known:
            known[name] = set()
            for parent in upstream[name]:
                known[name] |= {parent} | ancestors(parent)
        return known[name]

    return {
        name: {p for p in parents if not any(p in ancestors(q) for q in parents if q != p)}
        for name, parents in upstream.items()
    }


def _ranks(upstream: Mapping[str, set[str]]) -> dict[str, int]:
    ranks: dict[str, int] = {}

    def rank(name: str) -> int:
        if name not in ranks:
            ranks[name] = max((rank(parent) + 1 for parent in upstream[name]), default=0)
        return ranks[name]

    for name in upstream:
        rank(name)
    return ranks


def _chains(upstream: Mapping[str, set[str]], rank: dict[str, int]) -> list[list[str]]:
    """Each edge as its ends and, in the rows between, points of its own."""
    return [
        [
            parent,
            *(f"{parent}{_PASS}{name}{_PASS}{row}" for row in range(rank[parent] + 1, rank[name])),
            name,
        ]
        for name in upstream
        for parent in sorted(upstream[name])
    ]


def _rows(rank: dict[str, int], chains: Iterable[list[str]]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for name, row in rank.items():
        rows[row].append(name)
    for chain in chains:
        for offset, point in enumerate(chain[1:-1], start=rank[chain[0]] + 1):
            rows[offset].append(point)
    return rows


def _ordered(rows: list[list[str]], chains: Iterable[list[str]]) -> list[list[str]]:
    """Rows sorted so that fewer edges cross: each point near the middle of its neighbours."""
    above, below = defaultdict(list), defaultdict(list)
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            above[lower].append(upper)
            below[upper].append(lower)
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        order = range(len(rows) - 2, -1, -1) if sweep % 2 else range(1, len(rows))
        for index in order:
            position = {
                name: (place + 0.5) / len(row) for row in rows for place, name in enumerate(row)
            }
            centre = {
                name: sum(position[n] for n in neighbours[name]) / len(neighbours[name])
                if neighbours[name]
                else position[name]
                for name in rows[index]
            }
            rows[index].sort(key=centre.__getitem__)
    return rows


def _places(rows: list[list[str]]) -> dict[str, tuple[float, float]]:
    widest = max(map(_row_width, rows), default=0)
    place = {}
    for index, row in enumerate(rows):
        x = (widest - _row_width(row)) / 2 + _GAP_X
        for name in row:
            place[name] = (x, index * (HEIGHT + _GAP_Y) + _GAP_Y / 2)
            x += _width(name) + _GAP_X
    return place


def _width(name: str) -> float:
    return _PASSAGE if _PASS in name else WIDTH


def _row_width(row: list[str]) -> float:
    return sum(_width(name) + _GAP_X for name in row)


def _curve(points: list[tuple[float, float, float]]) -> str:
    """A smooth SVG path from the first box's lower edge to the last box's upper edge."""
    x, y = points[0][0] + points[0][2] / 2, points[0][1] + HEIGHT
    path = f"M{x:.0f},{y:.0f}"
    for number, (left, top, width) in enumerate(points[1:], start=2):
        to_x, to_y = left + width / 2, top
        half = (to_y - y) / 2
        path += f" C{x:.0f},{y + half:.0f} {to_x:.0f},{to_y - half:.0f} {to_x:.0f},{to_y:.0f}"
        x, y = to_x, to_y
        if number < len(points):
            y += HEIGHT
            path += f" L{x:.0f},{y:.0f}"
    return path
