"""Interface of ``schema_gen``."""

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def schema_gen(
    statistics: dsl.Input[dsl.Artifact],
    curated: str,
    schema: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Markdown],
):
    """Infers the schema from the statistics with TFX, or takes a curated one.

    Args:
        statistics: TFX ExampleStatistics.
        curated: Text-format TFMD schema; empty to infer one.
        schema: TFX Schema: `schema.pbtxt`.
        summary: The schema as a table.
    """
    from pathlib import Path

    from headrace.components.validation.schema_gen import schema as work

    result = work.run(statistics=Path(statistics.path), curated=curated, target=Path(schema.path))
    Path(summary.path).write_text(work.describe(result))
