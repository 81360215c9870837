"""Interface of ``infra_validator``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def infra_validator(
    model: dsl.Input[dsl.Model],
    examples: dsl.Input[dsl.Dataset],
    name: str,
    serving: dict,
    warmup: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Serves the exported model with the embedded model server, and sends it real rows.

    The server runs in a process of its own. It answers the same rows through `serving_default` and
    `raw_tensors` over gRPC, and through `raw_tensors` over REST.

    Args:
        model: SavedModel.
        examples: TFX Examples; rows of the test split are sent.
        name: Model name.
        serving: The section `serving` of project.yaml.
        warmup: Some of the requests, as TensorFlow Serving replays them before a version serves:
            TFRecord of PredictionLog. Empty without `warmup_rows`, or when the model is refused.
        metrics: Rows sent and the largest difference between answers.

    Returns:
        blessed: The model loads, and all answers agree.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.deployment.infra_validator import validator as work

    result = work.run(
        model=Path(model.path),
        source=Path(examples.path),
        name=name,
        serving=serving,
        warmup=Path(warmup.path),
    )
    for name, value in result.numbers.items():
        metrics.log_metric(name, value)
    return (result.blessed, result.verdict)
