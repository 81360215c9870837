"""Interface of ``model_gate``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def model_gate(
    evaluation_blessed: bool,
    evaluation_verdict: str,
    challenger_blessed: bool,
    challenger_verdict: str,
    infra_blessed: bool,
    infra_verdict: str,
    edge_blessed: bool,
    edge_verdict: str,
    summary: dsl.Output[dsl.Markdown],
) -> bool:
    """Blesses the model when every check did; the run goes on either way.

    Args:
        evaluation_blessed: From `evaluator`.
        evaluation_verdict: From `evaluator`.
        challenger_blessed: From `challenger`.
        challenger_verdict: From `challenger`.
        infra_blessed: From `infra_validator`.
        infra_verdict: From `infra_validator`.
        edge_blessed: From `edge_export`.
        edge_verdict: From `edge_export`.
        summary: All verdicts.

    Returns:
        Whether the model may be pushed.
    """
    from pathlib import Path

    from headrace.components.evaluation.model_gate import gate as work

    blessed, text = work.run(
        {
            "evaluator": (evaluation_blessed, evaluation_verdict),
            "challenger": (challenger_blessed, challenger_verdict),
            "infra_validator": (infra_blessed, infra_verdict),
            "edge_export": (edge_blessed, edge_verdict),
        }
    )
    Path(summary.path).write_text(text)
    return blessed
