"""One page about a run that needs nothing else: graph, timings, metrics, gates, artifacts."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from headrace.pipelines.local import display, graph
from headrace.pipelines.local.comparison import metrics
from headrace.pipelines.local.records import ArtifactRecord, RunRecord, TaskRecord

REPORT_FILE = "report.html"
_EMBED_ONE = 300_000
_EMBED_ALL = 1_200_000
_EMBEDDED = {"system.HTML": "page", "system.Markdown": "text"}
_ENDINGS = {"system.HTML": ".html", "system.Markdown": ".md"}
PAGES_FOLDER = "pages"
_LONG_TEXT = 300


def write(run: RunRecord) -> Path:
    """Writes the report into the run's folder; it appears whole or not at all."""
    _link_pages(run)
    target = run.folder / REPORT_FILE
    partial = target.with_suffix(".partial")
    partial.write_text(render(run), encoding="utf-8")
    os.replace(partial, target)
    return target


def render(run: RunRecord) -> str:
    """The report as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=display.duration,
        memory=display.memory,
        money=display.money,
        value=_value,
        moment=_moment,
    )
    tasks = run.ordered
    pages = _pages(run)
    return environment.get_template("report.html.j2").render(
        run=run,
        tasks=tasks,
        marks={state.value: mark for state, (mark, _) in display.MARKS.items()},
        graph=graph.layout(run),
        box=(graph.WIDTH, graph.HEIGHT),
        gates=[task for task in tasks if task.verdict is not None],
        metrics=metrics(run),
        bars=_bars(run, tasks),
        embedded=_embedded(tasks),
        link=lambda path: _link(str(pages.get(path, path)), run.folder),
        is_long=lambda text: len(text) > _LONG_TEXT,
    )


def _bars(run: RunRecord, tasks: list[TaskRecord]) -> list[tuple[TaskRecord, float, float]]:
    """Each step's start and length as percentages of the run."""
    started = [task for task in tasks if task.started and task.ended]
    if not started:
        return []
    # A resumed run's clock starts long before the steps it ran at last.
    begin = min(task.started.timestamp() for task in started if task.started)
    end = max(task.ended.timestamp() for task in started if task.ended)
    span = max(end - begin, 1e-3)
    return [
        (
            task,
            100 * (task.started.timestamp() - begin) / span,
            max(100 * (task.ended - task.started).total_seconds() / span, 0.3),
        )
        for task in started
        if task.started and task.ended
    ]


def _embedded(tasks: list[TaskRecord]) -> dict[str, tuple[str, str]]:
    """Small pages and texts that steps wrote, by URI, with how to show them."""
    found: dict[str, tuple[str, str]] = {}
    left = _EMBED_ALL
    for task in tasks:
        for artifact in task.outputs.artifacts.values():
            kind, path = _EMBEDDED.get(artifact.type), _file(artifact)
            if kind and path and path.stat().st_size < min(_EMBED_ONE, left):
                found[artifact.uri] = (kind, path.read_text(encoding="utf-8", errors="replace"))
                left -= path.stat().st_size
    return found


def _pages(run: RunRecord) -> dict[str, Path]:
    """By URI, the place of a link with an ending: a browser shows a page without one as text."""
    return {
        artifact.uri: run.folder / PAGES_FOLDER / f"{task.name}.{name}{_ENDINGS[artifact.type]}"
        for task in run.tasks.values()
        for name, artifact in task.outputs.artifacts.items()
        if artifact.type in _ENDINGS and Path(artifact.uri).is_file()
    }


def _link_pages(run: RunRecord) -> None:
    for uri, page in _pages(run).items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.unlink(missing_ok=True)
        page.symlink_to(os.path.relpath(uri, page.parent))


def _file(artifact: ArtifactRecord) -> Path | None:
    """The artifact's file; steps that name their page write it with that ending beside the URI."""
    for candidate in (Path(artifact.uri), Path(f"{artifact.uri}.html")):
        if candidate.is_file():
            return candidate
    return None


def _link(path: str, folder: Path) -> str:
    """A link that survives moving the home together with the report."""
    if "://" in path:
        return path
    home = folder.parent.parent
    target = Path(path)
    if target.is_relative_to(home):
        return Path(os.path.relpath(target, folder)).as_posix()
    return target.absolute().as_uri()


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else ""
