"""From paths on the command line to parsed pipelines; what is no pipeline becomes a finding."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from headrace.pipelines.lint import pipeline
from headrace.pipelines.lint.model import Found, Rule, Settings, Severity, rule
from headrace.pipelines.lint.pipeline import Pipeline

_SUFFIXES = ("*.yaml", "*.yml", "*.json")
_COMPILE = "Give a file that kfp.compiler.Compiler().compile() wrote."


def _checked_while_reading(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Nothing: a file that these rules are about never becomes a pipeline."""
    return iter(())


UNREADABLE = rule(
    "HR001", "unreadable-file", Severity.ERROR, "A file that cannot be read cannot be submitted."
)(_checked_while_reading)
BROKEN = rule("HR002", "broken-yaml", Severity.ERROR, "A server parses the file as YAML first.")(
    _checked_while_reading
)
NO_PIPELINE = rule(
    "HR003",
    "not-a-pipeline",
    Severity.ERROR,
    "A document is a pipeline if it has a root and a name in pipelineInfo.",
)(_checked_while_reading)
SEVERAL = rule(
    "HR004", "several-pipelines", Severity.ERROR, "A server takes one pipeline per file."
)(_checked_while_reading)
RULES = (UNREADABLE, BROKEN, NO_PIPELINE, SEVERAL)


class UnreadableError(Exception):
    """A file is no pipeline; `rule` and `found` say why."""

    def __init__(self, broken: Rule, message: str, fix: str) -> None:
        super().__init__(message)
        self.rule = broken
        self.found = Found("", message, fix)


def expand(names: list[str]) -> list[Path]:
    """Files behind names of files, folders and patterns, in order, each once.

    A name behind which there is nothing stays: reading it says that it is missing.
    """
    paths: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted({file for suffix in _SUFFIXES for file in path.rglob(suffix)})
        elif path.exists():
            found = [path]
        else:
            found = [Path(match) for match in sorted(glob.glob(name, recursive=True))]
        paths.update(dict.fromkeys(found or [path]))
    return list(paths)


def read(path: Path) -> Pipeline:
    """The pipeline in a file.

    Raises:
        UnreadableError: There is none.
    """
    documents = _documents(path)
    pipelines = [document for document in documents if _is_pipeline(document)]
    if not pipelines:
        raise UnreadableError(NO_PIPELINE, *_what_it_is(documents))
    if len(pipelines) > 1:
        raise UnreadableError(
            SEVERAL,
            f"The file holds {len(pipelines)} pipelines.",
            "Write each pipeline to a file of its own.",
        )
    document = pipelines[0]
    others = [other for other in documents if other is not document]
    platforms = [other for other in others if isinstance(other, dict) and "platforms" in other]
    return pipeline.build(
        document.get("pipelineSpec", document),
        platforms=platforms,
        extras=[other for other in others if other not in platforms],
        wrapped="pipelineSpec" in document,
    )


def _documents(path: Path) -> list[Any]:
    if path.is_dir():
        raise UnreadableError(
            UNREADABLE,
            "The folder holds no YAML or JSON file.",
            "Give a folder with compiled pipelines.",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UnreadableError(
            UNREADABLE,
            f"The file cannot be read: {reason}.",
            "Check the path and who may read it.",
        ) from error
    try:
        loaded = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
        # Servers turn YAML into JSON, which has neither circles nor dates as keys.
        json.dumps(loaded, default=str)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UnreadableError(BROKEN, f"The YAML is broken: {_reason(error)}.", _COMPILE) from error
    return [document for document in loaded if document is not None]


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} in line {mark.line + 1}" if mark else str(problem)


def _is_pipeline(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    inner = document.get("pipelineSpec", document)
    if not isinstance(inner, dict) or not isinstance(inner.get("root"), dict):
        return False
    info = inner.get("pipelineInfo", inner.get("pipeline_info"))
    return isinstance(info, dict) and bool(info.get("name"))


def _what_it_is(documents: list[Any]) -> tuple[str, str]:
    first = documents[0] if documents else None
    if first is None:
        return "The file is empty.", _COMPILE
    if not isinstance(first, dict):
        return f"The file holds a {type(first).__name__}, not a mapping.", _COMPILE
    if str(first.get("apiVersion", "")).startswith("argoproj.io/"):
        return (
            "The file is an Argo workflow, as version 1 of KFP's SDK made it.",
            "Compile the pipeline with version 2 of KFP's SDK.",
        )
    if "implementation" in first:
        return (
            "The file is a component in the format of KFP's version 1.",
            "Load it with kfp.components.load_component_from_file() and compile a pipeline of it.",
        )
    missing = [key for key in ("pipelineInfo", "root") if key not in first]
    what = f"no `{'` and no `'.join(missing)}`" if missing else "no name in `pipelineInfo`"
    return f"The file has {what}.", _COMPILE
