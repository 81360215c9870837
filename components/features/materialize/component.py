"""Interface of ``materialize``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def materialize(
    built: dsl.Input[dsl.Dataset],
    repo_code: dict,
    root: str,
    until: str,
    metrics: dsl.Output[dsl.Metrics],
    summary: dsl.Output[dsl.Markdown],
):
    """Publishes the tables of features, applies the Feast repository and fills the online store.

    Tables appear whole; rows that a stream has added stay. Online, the newest row of each entity
    since the last materialisation is written, and never over a newer one. A view that is new or
    changed is written whole, and its statistics are recorded as its baseline.

    Args:
        built: Sources from `feature_builder`.
        repo_code: Files of the Feast repository by name. `${NAME}` in its configuration is filled
            in from the step's environment: keep passwords there.
        root: Folder or URI that paths in the repository are relative to; tables go to `data` there.
        until: Last moment to bring online (ISO 8601); empty for now.
        metrics: Rows written online, and rows left out because the store has newer ones.
        summary: The same by view, for people.
    """
    from pathlib import Path

    from headrace.components.features.materialize import materialization as work

    rows = work.run(built=Path(built.path), repo_code=repo_code, root=root, until=until)
    metrics.log_metric("written", sum(row.written for row in rows.values()))
    metrics.log_metric("skipped_older", sum(row.skipped_older for row in rows.values()))
    Path(summary.path).write_text(work.summary(rows, until))
