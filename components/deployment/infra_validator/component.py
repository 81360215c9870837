"""Interface of ``infra_validator``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def infra_validator(
    model: dsl.Input[dsl.Model],
    examples: dsl.Input[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Loads the exported model as TensorFlow Serving does, and sends it real rows.

    A process of its own loads the SavedModel through the C++ path and answers the same rows
    through `serving_default` and `raw_tensors`.

    Args:
        model: SavedModel.
        examples: TFX Examples; rows of the test split are sent.
        metrics: Rows sent and the largest difference between the signatures.

    Returns:
        blessed: The model loads and both signatures agree.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.deployment.infra_validator import validator as work

    result = work.run(model=Path(model.path), source=Path(examples.path))
    for name, value in result.numbers.items():
        metrics.log_metric(name, value)
    return (result.blessed, result.verdict)
