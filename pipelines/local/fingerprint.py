"""What a step's result depends on, as one key: spec, inputs by content, code and libraries."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import re
import sys
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from headrace.components.shared import files

PACKAGE = __name__.partition(".")[0]
_SHARED = f"{PACKAGE}.components.shared"
_CORE_PACKAGES = ("feast", "kfp", "numpy", "pandas", "polars", "pyarrow")
_TFX_PACKAGES = (
    "tensorflow",
    "keras",
    "tfx",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "tensorflow-transform",
)
#: Endings of files that describe code or derive from it.
_SKIPPED_SUFFIXES = frozenset({".pyc", ".md"})
_SKIPPED_NAMES = frozenset({"metadata.yaml"})
KEY_LENGTH = 16
#: CPython 3.11 may fail to parse in two threads at once ("AST constructor recursion depth").
_PARSING = threading.Lock()


def digest_json(data: Any) -> str:
    """SHA-256 of data as deterministic JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def metadata_for_key(metadata: dict[str, Any], steps: Path) -> Any:
    """Metadata without the names of step folders, which change although the content does not."""
    pattern = re.compile(re.escape(str(steps)) + r"/[^/\"]+/[0-9a-f]{16}")
    return json.loads(pattern.sub("", json.dumps(metadata, sort_keys=True, default=str)))


class CodeDigests:
    """Digests of the package's own code; files are read once, so make a new one for each run."""

    def __init__(self) -> None:
        self._folder_of = cache(_folder_of)
        self._imports_of = cache(_imports_of)
        self._digest_of = cache(_digest_of)

    def of(self, source: str | None) -> str:
        """Content of the code that a component function imports, directly or not."""
        modules = _imports(source) if source else set()
        if not modules:
            return ""
        folders: set[Path] = set()
        waiting = [self._folder_of(module) for module in {_SHARED, *modules}]
        while waiting:
            folder = waiting.pop()
            if folder is not None and folder not in folders:
                folders.add(folder)
                waiting += [self._folder_of(module) for module in self._imports_of(folder)]
        return digest_json(sorted(self._digest_of(folder) for folder in folders))


def library_versions(*, tfx: bool) -> dict[str, str]:
    """Versions of the interpreter and of the libraries a step's result depends on."""
    names = _CORE_PACKAGES + (_TFX_PACKAGES if tfx else ())
    found = {name: version for name in names if (version := package_version(name))}
    return {"python": ".".join(map(str, sys.version_info[:2])), **found}


@cache
def package_version(name: str) -> str | None:
    """A distribution's version, if it is installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _imports(source: str) -> set[str]:
    try:
        with _PARSING:
            tree = ast.parse(source)
    except SyntaxError:
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from package import name` may import a module or take a name from one: try both.
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.startswith(f"{PACKAGE}.")}


def _folder_of(module: str) -> Path | None:
    """The folder of a module's file; none for what is no module, or a mere namespace.

    Files tell. Asking Python for the place of `package.module.name` would import the module, and
    with it whatever takes seconds to import.
    """
    top, rest = module.split(".")[:2], module.split(".")[2:]
    try:
        spec = importlib.util.find_spec(".".join(top))
    except ImportError:
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    place = Path(spec.submodule_search_locations[0]).joinpath(*rest)
    folder = place if place.is_dir() else place.parent
    if folder is not place and not place.with_suffix(".py").is_file():
        return None
    has_code = any(file.name != "__init__.py" for file in folder.glob("*.py"))
    return folder if has_code else None


def _imports_of(folder: Path) -> frozenset[str]:
    sources = (file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))
    return frozenset(name for source in sources for name in _imports(source))


def _digest_of(folder: Path) -> str:
    return digest_json([(name, files.digest(file)) for name, file in _code_files(folder)])


def _code_files(folder: Path) -> Iterable[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        skipped = file.suffix in _SKIPPED_SUFFIXES or file.name in _SKIPPED_NAMES
        if file.is_file() and not skipped:
            yield file.relative_to(folder).as_posix(), file
