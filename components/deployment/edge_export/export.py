"""The work of ``edge_export``: convert, compare with the SavedModel, keep what is equal enough."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headrace.components.deployment.batch_inference.model import Model
from headrace.components.deployment.edge_export import contents, rows, source, view
from headrace.components.deployment.edge_export.conversion import Tensors
from headrace.components.deployment.edge_export.forms import Maker
from headrace.components.deployment.edge_export.layout import CONTENTS, DESCRIPTION
from headrace.components.deployment.edge_export.measure import Measured, Trial
from headrace.components.deployment.edge_export.parity import Reference, missed, slices_of
from headrace.components.evaluation.metrics import NAMES
from headrace.components.shared import files
from headrace.components.shared.config.edge import Edge, Parity, Variant
from headrace.components.shared.config.model import Evaluation
from headrace.components.shared.config.project import Label
from headrace.components.shared.signatures import OUTPUT
from headrace.serving.edge.bundle import Description, write_bundle
from headrace.serving.edge.bundle import Variant as Form

_DIGITS = 5


@dataclass(frozen=True)
class Candidate:
    """A variant that was tried.

    Attributes:
        variant: Its name.
        form: Its file; None when it could not be made.
        measured: What was found; None when it could not be made or run.
        share: Size of its file, as a share of float32's.
        reasons: Why it is not pushed; empty when it is.
    """

    variant: Variant
    form: Form | None
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
    graph, folder = source.choose(served.loaded), bundle / CONTENTS
    target = contents.Target(
        name=name,
        feature_service=feature_service,
        raw_inputs=contents.prepare(folder, served.loaded, graph),
        output=OUTPUT[truth.task],
    )
    export = _Export(settings, folder, target, graph, served, examples, test, reference)
    candidates = export.candidates()
    passed = _passed(candidates, settings, truth.task)
    export.leave(passed)
    result = Result(bool(passed), _verdict(candidates), candidates)
    view.write(page, result, reference, settings, graph)
    return result


@dataclass(frozen=True)
class _Export:
    """An export under way."""

    settings: Edge
    folder: Path
    target: contents.Target
    graph: source.Graph
    served: Model
    examples: Path
    test: rows.Rows
    reference: Reference

    def candidates(self) -> list[Candidate]:
        """Makes the variants, asks them, and judges what they answer."""
        task = self.reference.task
        maker = Maker(
            self.graph, self.settings, task, self.folder, self.target.output, cache(self._sample)
        )
        made, refused = maker.make()
        found = {**refused, **(self._measured(made) if made else {})}
        return [
            _judge(one, made.get(one), found[one], len(self.graph.float32), self.settings, task)
            for one in self.settings.variants
        ]

    def leave(self, passed: Mapping[Variant, Form]) -> None:
        """Leaves in the bundle what may be pushed."""
        if not passed:
            shutil.rmtree(self.folder)
            return
        kept = {form.file for form in passed.values()}
        for path in [*self.folder.glob("*.tflite"), *self.folder.glob("*.onnx")]:
            if path.name not in kept:
                path.unlink()
        description = self._description(passed)
        files.write_json(self.folder.parent / DESCRIPTION, description.model_dump(mode="json"))

    def _sample(self, count: int) -> Tensors:
        """So many rows of the training split, at most, as the graph takes them."""
        table = rows.representative(self.examples, count)
        return contents.feeds(self.folder, self.graph, self.served.tensors(table))

    def _measured(self, made: Mapping[Variant, Form]) -> dict[Variant, Measured | str]:
        """What each variant answers in a bundle as devices get it, or why it does not."""
        description = self._description(made)
        raw = self.served.tensors(self.test.table)
        with tempfile.TemporaryDirectory(prefix="headrace-edge-") as scratch:
            bundle = Path(scratch) / "bundle"
            key = Ed25519PrivateKey.generate()
            write_bundle(self.folder, bundle, description, version=1, key=key)
            trial = Trial(bundle, description, raw, self.reference, self.settings.decision)
            return {variant: trial.measure(variant) for variant in made}

    def _description(self, variants: Mapping[Variant, Form]) -> Description:
        return contents.describe(self.target, self.test.table, self.reference.answers, variants)


def _reference(
    test: rows.Rows, served: Model, task: str, evaluation: Mapping[str, Any]
) -> Reference:
    return Reference(
        task=task,
        label=test.label,
        answers=served.predict(test.table)[OUTPUT[task]].to_numpy(),
        slices=slices_of(test.table, Evaluation.parse(evaluation, where="evaluation")),
    )


def _judge(
    variant: Variant,
    form: Form | None,
    found: Measured | str,
    size: int,
    settings: Edge,
    task: str,
) -> Candidate:
    if not isinstance(found, Measured):
        return Candidate(variant, form, None, math.nan, [found])
    share = found.bytes / size
    reasons = missed(variant, found.differences, share, settings, task)
    return Candidate(variant, form, found, share, reasons)


def _passed(candidates: list[Candidate], settings: Edge, task: str) -> dict[Variant, Form]:
    """The forms that go to devices, the smallest last."""
    return {
        one.variant: _described(one.form, one.measured, settings.limits(one.variant, task), task)
        for one in _good(candidates)
        if one.form and one.measured
    }


def _good(candidates: list[Candidate]) -> list[Candidate]:
    """Those that may be pushed, the smallest last."""
    return sorted((one for one in candidates if not one.reasons), key=lambda one: -one.share)


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
    good = _good(candidates)
    first = f"; {failed[0].variant}: {failed[0].reasons[0]}" if failed else ""
    if not good:
        return f"none of {len(candidates)} variants may go to devices{first}"
    best = good[-1]
    return (
        f"{len(good)} of {len(candidates)} variants answer like the SavedModel; the smallest is "
        f"{best.variant}, {best.share:.2f} of float32's size{first}"
    )
