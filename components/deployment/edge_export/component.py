"""Interface of ``edge_export``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def edge_export(
    model: dsl.Input[dsl.Model],
    examples: dsl.Input[dsl.Dataset],
    name: str,
    asked: dict,
    label: dict,
    evaluation: dict,
    edge: dict,
    bundle: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Exports the model for devices, in forms that are proven to answer as the SavedModel does.

    TensorFlow Lite files in 32, 16 and 8 bits and ONNX. The preprocessing goes into the file, or
    where a device has no kernel for it beside the file, as a specification that NumPy runs. Every
    variant answers the whole test split from raw features on; one that differs by more than its
    limits is not pushed.

    Args:
        model: SavedModel.
        examples: TFX Examples; training rows set the ranges of int8, test rows are compared.
        name: Model name.
        asked: From `historical_features`: which feature service.
        label: The section `label` of project.yaml.
        evaluation: The section `evaluation` of project.yaml: its slices are compared.
        edge: The section `edge` of project.yaml; empty for no export.
        bundle: What the pusher signs and publishes: the variants that passed, the preprocessing,
            the runtime. Empty when there is nothing to publish.
        metrics: Size and differences of each variant.
        report: Variants with their limits and latency, charts, slices.

    Returns:
        blessed: A variant passed, or none was asked for.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.deployment.edge_export import export as work
    from headrace.components.shared.published import log_metrics

    result = work.run(
        model=Path(model.path),
        examples=Path(examples.path),
        name=name,
        label=label,
        evaluation=evaluation,
        edge=edge,
        feature_service=asked.get("feature_service"),
        bundle=Path(bundle.path),
        page=Path(report.path),
    )
    log_metrics(metrics, result.numbers())
    return (result.blessed, result.verdict)
