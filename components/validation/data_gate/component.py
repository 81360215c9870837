"""Interface of ``data_gate``."""

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def data_gate(
    validation_blessed: bool,
    validation_verdict: str,
    leakage_blessed: bool,
    leakage_verdict: str,
) -> str:
    """Fails the run when the data were not blessed, after the checks published their reports.

    Args:
        validation_blessed: From `example_validator`.
        validation_verdict: From `example_validator`.
        leakage_blessed: From `leakage_check`.
        leakage_verdict: From `leakage_check`.

    Returns:
        One line for people.
    """
    from headrace.components.validation.data_gate import gate as work

    return work.run(
        {
            "example_validator": (validation_blessed, validation_verdict),
            "leakage_check": (leakage_blessed, leakage_verdict),
        }
    )
