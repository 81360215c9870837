"""The work of ``edge_export``: convert, compare with the SavedModel, keep what is equal enough."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headrace.components.deployment.batch_inference.model import Model
from headrace.components.deployment.edge_export import contents, conversion, rows, source, view
from headrace.components.deployment.edge_export.layout import CONTENTS, DESCRIPTION
from headrace.components.deployment.edge_export.measure import Measured, measure
from headrace.components.deployment.edge_export.parity import Reference, missed, slices_of
from headrace.components.evaluation.metrics import NAMES
from headrace.components.shared import files
from headrace.components.shared.config.edge import Edge, Parity, Variant
from headrace.components.shared.config.model import Evaluation
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import HeadraceError
from headrace.components.shared.signatures import OUTPUT
from headrace.serving.edge.bundle import Description, write_bundle
from headrace.serving.edge.bundle import Variant as Form

_DIGITS = 5


@dataclass(frozen=True)
class Candidate:
    """A variant that was tried.

    Attributes:
        variant: Its name.
        measured: What was found; None when it could not be made or run.
        share: Size of its file, as a share of float32's.
        reasons: Why it is not pushed; empty when it is.
    """

    variant: Variant
    measured: Measured | None
    share: float
    reasons: list[str]


@dataclass(frozen=True)
class Result:
    """What became of the variants.

    Attributes:
        blessed: The push may go on.
        verdict: One line for people.
        candidates: Every variant that was asked for.
    """

    blessed: bool
    verdict: str
    candidates: list[Candidate] = field(default_factory=list)

    def numbers(self) -> dict[str, float]:
        """Size and largest differences by variant and name, without the noise of 32-bit floats."""
        found: dict[str, float] = {}
        for one in self.candidates:
            if one.measured:
                overall = one.measured.differences[0]
                found[f"{one.variant}_bytes"] = one.measured.bytes
                found[f"{one.variant}_max_difference"] = round(overall.max_difference, _DIGITS)
                found[f"{one.variant}_metric_difference"] = round(
                    overall.metric_difference, _DIGITS
                )
                if overall.flips is not None:
                    found[f"{one.variant}_flips"] = overall.flips
        return found


def run(
    *,
    model: Path,
    examples: Path,
    name: str,
    label: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    edge: Mapping[str, Any],
    feature_service: str | None,
    bundle: Path,
    page: Path,
) -> Result:
    """Exports the model.

    Args:
        model: SavedModel.
        examples: Examples artifact: representative rows from its training split, parity on its
            test split.
        name: Model name.
        label: Keys of :class:`Label`.
        evaluation: Keys of :class:`Evaluation`; its slices are compared too.
        edge: Keys of :class:`Edge`; empty for no export.
        feature_service: That the model was trained on.
        bundle: Folder to fill with what the pusher signs; empty when nothing is pushed.
        page: HTML report to write.

    Raises:
        ProjectCodeError: the preprocessing has an operation that devices do not have.
    """
    bundle.mkdir(parents=True, exist_ok=True)
    if not edge:
        result = Result(True, "no export for devices: project.yaml has no section `edge`")
        view.write_empty(page, result.verdict)
        return result
    settings, truth = Edge.parse(edge, where="edge"), Label.parse(label, where="label")
    served = Model(model)
    test = rows.tested(examples, truth)
    reference = _reference(test, served, truth.task, evaluation)
    graph = source.choose(served.loaded)
    folder = bundle / CONTENTS
    target = contents.Target(
        name=name,
        feature_service=feature_service,
        raw_inputs=contents.prepare(folder, served.loaded, graph),
        output=OUTPUT[truth.task],
    )
    training = rows.representative(examples, settings.representative_rows)
    feeds = contents.feeds(folder, graph, served.tensors(training))
    made, found = _convert(graph, settings.variants, feeds, folder, target.output)
    if made:
        tried = contents.describe(target, test.table, reference.answers, made)
        raw = served.tensors(test.table)
        found |= _measure(folder, tried, made, raw, reference, settings.decision)
    candidates = [
        _judge(variant, found[variant], len(graph.float32), settings, truth.task)
        for variant in settings.variants
    ]
    passed = _passed(candidates, made, settings, truth.task)
    for variant in made.keys() - passed.keys():
        (folder / made[variant].file).unlink()
    if passed:
        final = contents.describe(target, test.table, reference.answers, passed)
        files.write_json(bundle / DESCRIPTION, final.model_dump(mode="json"))
    else:
        shutil.rmtree(folder)
    result = Result(bool(passed), _verdict(candidates), candidates)
    view.write(page, result, reference, settings, graph)
    return result


def _reference(
    test: rows.Rows, served: Model, task: str, evaluation: Mapping[str, Any]
) -> Reference:
    return Reference(
        task=task,
        label=test.label,
        answers=served.predict(test.table)[OUTPUT[task]].to_numpy(),
        slices=slices_of(test.table, Evaluation.parse(evaluation, where="evaluation")),
    )


def _convert(
    graph: source.Graph,
    variants: list[Variant],
    feeds: conversion.Tensors,
    folder: Path,
    output: str,
) -> tuple[dict[Variant, Form], dict[Variant, Measured | str]]:
    """The forms that could be made, and why others could not."""
    made: dict[Variant, Form] = {}
    refused: dict[Variant, Measured | str] = {}
    for variant in variants:
        path = folder / ("model.onnx" if variant == "onnx" else f"{variant}.tflite")
        try:
            path.write_bytes(conversion.convert(graph, variant, feeds, output))
            inputs, outputs = conversion.tensors(path, output)
        except Exception as error:  # converters raise anything; whatever it is, it is the verdict
            path.unlink(missing_ok=True)
            refused[variant] = f"it cannot be converted: {_first_line(error)}"
        else:
            made[variant] = Form(file=path.name, inputs=inputs, outputs=outputs)
    return made, refused


def _measure(
    folder: Path,
    description: Description,
    variants: Iterable[Variant],
    raw: conversion.Tensors,
    reference: Reference,
    decision: float,
) -> dict[Variant, Measured | str]:
    """What each variant answers in a bundle as devices get it, or why it does not."""
    found: dict[Variant, Measured | str] = {}
    with tempfile.TemporaryDirectory(prefix="headrace-edge-") as scratch:
        bundle = Path(scratch) / "bundle"
        write_bundle(folder, bundle, description, version=1, key=Ed25519PrivateKey.generate())
        for variant in variants:
            try:
                found[variant] = measure(bundle, description, variant, raw, reference, decision)
            except Exception as error:  # a runtime raises anything; it is the verdict, too
                found[variant] = f"it does not answer: {_first_line(error)}"
    return found


def _judge(
    variant: Variant, found: Measured | str, size: int, settings: Edge, task: str
) -> Candidate:
    if not isinstance(found, Measured):
        return Candidate(variant, None, math.nan, [found])
    share = found.bytes / size
    return Candidate(
        variant, found, share, missed(variant, found.differences, share, settings, task)
    )


def _passed(
    candidates: list[Candidate], made: Mapping[Variant, Form], settings: Edge, task: str
) -> dict[Variant, Form]:
    """The forms that go to devices, the smallest last."""
    return {
        one.variant: _described(
            made[one.variant], one.measured, settings.limits(one.variant, task), task
        )
        for one in sorted(candidates, key=lambda one: -one.share)
        if one.measured and not one.reasons
    }


def _described(form: Form, measured: Measured, limits: Parity, task: str) -> Form:
    """The form as the manifest describes it."""
    (overall, *_), name = measured.differences, NAMES[task][0]
    metrics = {
        name: overall.metric,
        f"{name}_difference": overall.metric_difference,
        "max_difference": overall.max_difference,
        "mean_difference": overall.mean_difference,
        "flips": math.nan if overall.flips is None else overall.flips,
    }
    return form.model_copy(
        update={
            "metrics": {name: value for name, value in metrics.items() if math.isfinite(value)},
            "tolerance": limits.max_difference,
        }
    )


def _verdict(candidates: list[Candidate]) -> str:
    failed = [one for one in candidates if one.reasons]
    good = [one for one in candidates if one.measured and not one.reasons]
    first = f"; {failed[0].variant}: {failed[0].reasons[0]}" if failed else ""
    if not good:
        return f"none of {len(candidates)} variants may go to devices{first}"
    best = min(good, key=lambda one: one.share)
    return (
        f"{len(good)} of {len(candidates)} variants answer like the SavedModel; the smallest is "
        f"{best.variant}, {best.share:.2f} of float32's size{first}"
    )


def _first_line(error: Exception) -> str:
    text = error.message if isinstance(error, HeadraceError) else str(error)
    return text.strip().partition("\n")[0][:300] or type(error).__name__
