"""``headrace features impact``: what would a change touch?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headrace.cli.features.options import REPO, ConfigOption, RepoOption

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from headrace.feature_store.lineage import Impact, Lineage, Node


def impact(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="A source, a view, or a feature as view.feature.",
            show_default=False,
        ),
    ],
    repo: RepoOption = REPO,
    config: ConfigOption = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="DESTINATION",
            help="Folder or URI of pushed models: a project's `serving.destination`.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the views, services, models and endpoints that a change would touch."""
    from rich.console import Console

    from headrace.feature_store.lineage import KINDS, lineage
    from headrace.feature_store.repo import open_store

    graph = lineage(open_store(repo, config), models)
    found = graph.impact(reference)
    console = Console()
    console.print(_tree(graph, found))
    numbers = {kind: len(found.names(kind)) for kind in KINDS[1:]}
    counts = [f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in numbers.items() if n]
    console.print(f"\nTouched: {', '.join(counts) or 'nothing'}", style="bold")
    if models is None:
        console.print("Give --models to see models and endpoints too.", style="dim")


def _tree(graph: Lineage, found: Impact) -> Tree:
    from rich.tree import Tree

    tree = Tree(f"[bold]{found.reference}[/]")
    shown: set[Node] = set()
    leading = {target for targets in found.edges.values() for target in targets}
    for node in found.starts:
        if node not in leading:
            _grow(tree, node, graph, found, shown)
    return tree


def _grow(tree: Tree, node: Node, graph: Lineage, found: Impact, shown: set[Node]) -> None:
    """Adds a node and what it leads to; what is there already is not repeated in full."""
    from rich.text import Text

    if node in shown:
        tree.add(Text(f"{node.kind} {node.name}: see above", style="dim"))
        return
    shown.add(node)
    branch = tree.add(_label(node, graph, found))
    for target in found.edges.get(node, []):
        _grow(branch, target, graph, found, shown)


def _label(node: Node, graph: Lineage, found: Impact) -> Text:
    from dataclasses import replace

    from rich.text import Text

    from headrace.feature_store.lineage import ENDPOINT, MODEL

    parts = [part for part in found.touched[node] if part]
    text = Text.assemble((f"{node.kind} ", "dim"), (node.name, "bold cyan"))
    if node.kind == MODEL:
        for number, part in enumerate(parts):
            text.append(", " if number else " version " if len(parts) == 1 else " versions ")
            text.append(part)
            if replace(node, part=part) in found.stale:
                text.append(" (stale)", style="yellow")
    elif node.kind == ENDPOINT:
        text.append(f" serves version {parts[-1]}")
    elif parts:
        everything = len(parts) > 1 and len(parts) == len(graph.parts(node))
        shown = f"all {len(parts)} features" if everything else ", ".join(parts)
        text.append(f" {shown}", style="dim")
    return text
