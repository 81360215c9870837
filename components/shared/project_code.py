"""Loading the functions a project brings, and blaming the right line when they fail."""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from headrace.components.shared.errors import HeadraceError, ProjectCodeError
from headrace.components.shared.text import nearest


@contextlib.contextmanager
def importable(code: Mapping[str, str]) -> Iterator[Path]:
    """Makes the project's files importable by their plain names.

    Args:
        code: File name to source text, as the pipeline parameters carry them.

    Yields:
        The folder that holds the files.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-code-") as folder:
        names = [Path(file).stem for file in code if file.endswith(".py")]
        for file, source in code.items():
            (Path(folder) / file).write_text(source, encoding="utf-8")
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        for name in names:
            sys.modules.pop(name, None)
        try:
            yield Path(folder)
        finally:
            sys.path.remove(folder)
            for name in names:
                sys.modules.pop(name, None)


def load_module(folder: Path, file: str) -> ModuleType:
    """Imports ``file``.

    Raises:
        ProjectCodeError: it does not import.
    """
    with blamed_on(folder, file):
        return importlib.import_module(Path(file).stem)


def load_function(folder: Path, file: str, name: str) -> Callable[..., Any]:
    """Imports ``name`` from ``file``.

    Raises:
        ProjectCodeError: the file does not import, or has no such function.
    """
    module = load_module(folder, file)
    function = getattr(module, name, None)
    if not callable(function):
        raise ProjectCodeError(
            f"{file} has no function `{name}`.",
            fix=f"Define it. {nearest(name, [n for n in vars(module) if not n.startswith('_')])}",
        )
    return function  # type: ignore[no-any-return]


@contextlib.contextmanager
def blamed_on(folder: Path, file: str, *, hint: str = "") -> Iterator[None]:
    """Turns whatever ``file`` raises into an error that names its line.

    Args:
        folder: Where the project's files are, as :func:`importable` yields it.
        file: The file at fault when no line of the project is in the traceback.
        hint: A sentence to add to the advice.
    """
    try:
        yield
    except HeadraceError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if Path(frame.filename).parent == folder]
        place, line = file, ""
        if isinstance(error, SyntaxError) and error.filename:
            place, line = f"{Path(error.filename).name}:{error.lineno}", (error.text or "").strip()
        elif ours:
            place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}"
            line = ours[-1].line or ""
        reason = str(error).strip().partition("\n")[0][:400]
        shown = f" at `{line}`" if line else ""
        raise ProjectCodeError(
            f"{place} raised {type(error).__name__}{shown}: {reason}",
            fix=f"Correct {file}. {hint}".strip(),
        ) from error
