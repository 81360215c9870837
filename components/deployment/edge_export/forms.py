"""The forms of the model that were asked for, as files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headrace.components.deployment.edge_export import conversion, fine_tuning
from headrace.components.deployment.edge_export.source import Graph
from headrace.components.shared.config.edge import Edge, Variant
from headrace.components.shared.errors import HeadraceError
from headrace.serving.edge.bundle import Variant as Form


@dataclass(frozen=True)
class Maker:
    """Makes the files of a bundle.

    Attributes:
        graph: What is converted.
        settings: Which forms, and how they are made.
        task: Task of the label.
        folder: The bundle's contents.
        output: Name of what the model answers.
        sample: Gives so many rows of the training split, at most, as the graph takes them.
    """

    graph: Graph
    settings: Edge
    task: str
    folder: Path
    output: str
    sample: Callable[[int], conversion.Tensors]

    def make(self) -> tuple[dict[Variant, Form], dict[Variant, str]]:
        """The forms that could be made, and why others could not."""
        representative = self.sample(self.settings.representative_rows)
        made: dict[Variant, Form] = {}
        refused: dict[Variant, str] = {}
        for variant in self.settings.variants:
            path = self.folder / ("model.onnx" if variant == "onnx" else f"{variant}.tflite")
            try:
                graph = self._treated(variant, representative)
                path.write_bytes(conversion.convert(graph, variant, representative, self.output))
                inputs, outputs = conversion.tensors(path, self.output)
            except Exception as error:  # converters raise anything; whatever it is, it says why
                path.unlink(missing_ok=True)
                refused[variant] = f"it cannot be converted: {first_line(error)}"
            else:
                made[variant] = Form(file=path.name, inputs=inputs, outputs=outputs)
        return made, refused

    def _treated(self, variant: Variant, representative: conversion.Tensors) -> Graph:
        """The graph, fine-tuned when the variant is one that is."""
        if variant not in ("int8_aware", "pruned"):
            return self.graph
        settings, flat = self.settings.fine_tuning, self.graph.flat
        rows = self.sample(settings.rows)
        if variant == "pruned":
            flat = fine_tuning.pruned(flat, rows, settings, self.task)
        else:
            wide = conversion.stretched(representative)
            flat = fine_tuning.quantisation_aware(flat, rows, wide, settings, self.task)
        return dataclasses.replace(self.graph, flat=flat)


def first_line(error: Exception) -> str:
    """What an error says, as part of a verdict."""
    text = error.message if isinstance(error, HeadraceError) else str(error)
    return text.strip().partition("\n")[0][:300] or type(error).__name__
