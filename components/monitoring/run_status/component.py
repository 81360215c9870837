"""Interface of ``run_status``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def run_status(
    project: str,
    status: dsl.PipelineTaskFinalStatus,
    summary: dsl.Output[dsl.Markdown],
):
    """Reports how the run ended; meant as the exit handler of a pipeline.

    Args:
        project: Project name.
        status: The final status, which KFP fills in.
        summary: State and error for people.
    """
    from pathlib import Path

    from headrace.components.monitoring.run_status import status as work

    error = {"message": status.error_message} if status.error_message else {}
    text = work.describe(project, status.state, error)
    Path(summary.path).write_text(text)
    print(text)
