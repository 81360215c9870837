"""Starting a model with the runtime that its bundle brings along."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Protocol

from headrace.components.shared.errors import DataError

PACKAGE = "headrace_edge"
_numbers = itertools.count()
_changing_finders = threading.Lock()


class EdgeModel(Protocol):
    """What the runtime inside of a bundle offers."""

    def predict(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Predicts one row of raw features."""

    def predict_batch(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Predicts columns of raw features."""


def load(bundle: Path, variant: str, *, threads: int = 1) -> EdgeModel:
    """Starts a model; two versions may run in one process, each with its own runtime.

    Args:
        bundle: A checked bundle.
        variant: Name of the variant.
        threads: Of the interpreter.
    """
    place = bundle.resolve()
    with _findable(place / PACKAGE) as name:
        module = importlib.import_module(name)
        model: EdgeModel = module.EdgeModel(str(place), variant=variant, threads=threads)
    return model


@contextlib.contextmanager
def _findable(folder: Path) -> Iterator[str]:
    """Makes a runtime importable under a new name; the model alone keeps its modules afterwards."""
    name = f"{PACKAGE}_{next(_numbers)}"
    finder = _Finder(name, folder)
    # Other threads import too: they go through the list that they have begun with.
    with _changing_finders:
        sys.meta_path = [finder, *sys.meta_path]
    try:
        yield name
    finally:
        with _changing_finders:
            sys.meta_path = [one for one in sys.meta_path if one is not finder]
        for module in [one for one in list(sys.modules) if one.partition(".")[0] == name]:
            del sys.modules[module]


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns the errors for people that a bundle's runtime raises into one of Headrace's.

    Each bundle brings a class of its own, which has the same two attributes.

    Raises:
        DataError: instead.
    """
    try:
        yield
    except Exception as error:
        message, fix = getattr(error, "message", None), getattr(error, "fix", None)
        if message is None or fix is None:
            raise
        raise DataError(message, fix=fix) from error


class _Finder(importlib.abc.MetaPathFinder):
    """Finds a bundle's modules, in their source alone, under another name."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The source of a module below the runtime's name."""
        head, *rest = fullname.split(".")
        if head != self._name:
            return None
        place = self._folder.joinpath(*rest)
        package = place / "__init__.py"
        file = package if package.is_file() else place.with_suffix(".py")
        return importlib.util.spec_from_file_location(
            fullname,
            file,
            loader=_Source(fullname, str(file)),
            submodule_search_locations=[] if file == package else None,
        )


class _Source(importlib.machinery.SourceFileLoader):
    """Neither reads nor leaves compiled files, which nobody has signed."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Compiles the source."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code
