"""``headrace features quality``: are features fresh, complete and what they used to be?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headrace.cli.features.options import FOUND, REPO, ConfigOption, RepoOption

if TYPE_CHECKING:
    import datetime as dt

    from rich.table import Table

    from headrace.feature_store.quality.alarms import FeatureQuality, Measure, ViewQuality


def quality(
    repo: RepoOption = REPO,
    config: ConfigOption = None,
    view: Annotated[
        list[str] | None,
        typer.Option("--view", help="Only this feature view; may be repeated.", show_default="all"),
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Record the window as baseline; checks nothing.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Start of the window (ISO 8601).",
            show_default="the baseline's end, or the beginning",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="End of it.", show_default="--as-of")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT", help="Moment for which ages count (ISO 8601).", show_default="now"
        ),
    ] = None,
) -> None:
    """Check features against their baseline and their view's tags; exit code 4 on alarms."""
    from rich.console import Console

    from headrace.feature_store.clock import moment
    from headrace.feature_store.quality import alarms
    from headrace.feature_store.quality.baseline import folder, record_baseline
    from headrace.feature_store.quality.pulls import BEGINNING
    from headrace.feature_store.repo import open_store

    store, console = open_store(repo, config), Console()
    now = moment(as_of)
    start = moment(since) if since else None
    end = moment(until) if until else now
    if baseline:
        recorded = record_baseline(store, view, since=start or BEGINNING, until=end)
        for name, record in recorded.items():
            console.print(f"{name}: {record.rows:,} rows until {end:%Y-%m-%d %H:%M}")
        console.print(f"Baselines: {folder(store)}", style="dim", soft_wrap=True)
        return
    found = alarms.check_quality(store, view, now=now, since=start, until=end)
    console.print(_table(found))
    raised = [alarm for quality in found for alarm in quality.alarms]
    for alarm in raised:
        console.print(f"✘ {alarm}", style="bold red", highlight=False, soft_wrap=True)
    without = [quality.view for quality in found if not quality.compared]
    if without:
        console.print(
            f"No baseline for {', '.join(without)}: record it with --baseline.", style="yellow"
        )
    raise typer.Exit(FOUND if raised else 0)


def _table(found: list[ViewQuality]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("feature", overflow="fold")
    for name in ("rows", "nulls", "before", "drift", "age", "not online"):
        table.add_column(name, justify="right", no_wrap=True)
    for quality in found:
        bad = {(alarm.feature, alarm.measure) for alarm in quality.alarms}
        table.add_row(
            f"[bold]{quality.view}[/]",
            f"{quality.rows:,}",
            "",
            "",
            "",
            _marked("none" if quality.age is None else _short(quality.age), (None, "age") in bad),
            _marked(_share(quality.missing), (None, "missing") in bad),
        )
        for feature in quality.features:
            table.add_row(*_feature(feature, bad))
    return table


def _feature(feature: FeatureQuality, bad: set[tuple[str | None, Measure]]) -> list[str]:
    nulls = _share(feature.now.null_rate if feature.now.rows else None)
    before = _share(feature.baseline.null_rate if feature.baseline else None)
    moved = "" if feature.drift is None else f"{feature.drift:.3f}"
    return [
        f"  {feature.name}",
        "",
        _marked(nulls, (feature.name, "null_rate") in bad),
        before,
        _marked(moved, (feature.name, "drift") in bad),
    ]


def _marked(text: str, bad: bool) -> str:
    return f"[bold red]{text}[/]" if bad else text


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _short(age: dt.timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.1f} days"
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
