"""Interface of ``data_gate``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def data_gate(
    validation_blessed: bool,
    validation_verdict: str,
    leakage_blessed: bool,
    leakage_verdict: str,
    summary: dsl.Output[dsl.Markdown],
) -> str:
    """Fails the run when the data were not blessed, after the checks published their reports.

    Args:
        validation_blessed: From `example_validator`.
        validation_verdict: From `example_validator`.
        leakage_blessed: From `leakage_check`.
        leakage_verdict: From `leakage_check`.
        summary: All verdicts, when the data pass.

    Returns:
        One line for people.
    """
    from pathlib import Path

    from headrace.components.validation.data_gate import gate as work

    verdict, text = work.run(
        {
            "example_validator": (validation_blessed, validation_verdict),
            "leakage_check": (leakage_blessed, leakage_verdict),
        }
    )
    Path(summary.path).write_text(text)
    return verdict
