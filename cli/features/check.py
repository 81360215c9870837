"""``headrace features check``: do training and serving get the same features?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace.cli.features.options import FOUND, REPO, ConfigOption, RepoOption

if TYPE_CHECKING:
    from feast import FeatureStore
    from rich.table import Table

    from headrace.feature_store.quality.comparison import Comparison


def check(
    service: Annotated[
        str | None, typer.Argument(help="The feature service; may be left out if it is the only.")
    ] = None,
    repo: RepoOption = REPO,
    config: ConfigOption = None,
    samples: Annotated[int, typer.Option(min=1, help="How many rows to draw.")] = 1000,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Moment (ISO 8601) until which the online store was filled.",
            show_default="now",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Parquet file of join keys and request fields to ask for, instead of samples.",
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Parquet file or folder of served features, to be compared instead of the "
            "online store.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="How much numbers may differ, relative to the larger.")
    ] = 0.0,
    patience: Annotated[
        float,
        typer.Option(min=0, help="Seconds that sources may lag behind what a stream put online."),
    ] = 0.0,
    report: Annotated[
        Path | None, typer.Option(help="HTML page to write.", show_default=False)
    ] = None,
) -> None:
    """Compare features offline with online, value by value; exit code 4 when some differ."""
    from rich.console import Console

    from headrace.feature_store.repo import open_store

    store = open_store(repo, config)
    name = service or _only_service(store)
    result = _compared(store, name, samples, as_of, rows, log, tolerance, patience)
    if report:
        result.write_html(report)
    console = Console()
    if not result.agrees:
        console.print(_table(result))
    style = "green" if result.agrees else "bold red"
    console.print(result.verdict(), style=style, highlight=False, soft_wrap=True)
    if report:
        console.print(f"Report: {report}", style="dim", soft_wrap=True)
    raise typer.Exit(0 if result.agrees else FOUND)


def _compared(
    store: FeatureStore,
    service: str,
    samples: int,
    as_of: str | None,
    rows: Path | None,
    log: Path | None,
    tolerance: float,
    patience: float,
) -> Comparison:
    import polars as pl
    from pyarrow import parquet

    from headrace.feature_store.clock import moment
    from headrace.feature_store.quality import skew

    if log:
        return skew.compare_logs(store, service, parquet.read_table(log), tolerance=tolerance)
    asked: int | Any = pl.read_parquet(rows) if rows else samples
    now = moment(as_of)
    return skew.compare(store, service, asked, now, tolerance=tolerance, patience=patience)


def _only_service(store: FeatureStore) -> str:
    from headrace.components.shared.errors import ConfigError

    names = sorted(service.name for service in store.list_feature_services())
    if len(names) != 1:
        raise ConfigError(
            f"The feature store {store.project!r} has {len(names)} feature services.",
            fix=f"Name the one to check: {', '.join(names)}." if names else "Define one first.",
        )
    return str(names[0])


def _table(result: Comparison) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("feature", overflow="fold")
    table.add_column("differ", justify="right", style="red", no_wrap=True)
    table.add_column("of", justify="right", no_wrap=True)
    table.add_column("for example", overflow="fold")
    for feature in result.differing:
        counts = (f"{feature.differing:,}", f"{feature.compared:,}")
        table.add_row(feature.name, *counts, str(feature.examples[0]))
    return table
