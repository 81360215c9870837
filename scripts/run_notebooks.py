"""Executes the notebooks and keeps their outputs: plots and printed text, no warnings, no paths."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
CELL_SECONDS = 900


def execute(notebook: Any) -> Any:
    """Runs all cells in a fresh kernel.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raises.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    )
    return client.execute()


def cleaned(notebook: Any) -> Any:
    """Leaves what a reader wants, and nothing that differs from one execution to the next."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = list(_outputs(cell.outputs))
    notebook.metadata = {"kernelspec": _kernel(), "language_info": {"name": "python"}}
    return notebook


def _outputs(outputs: list[Any]) -> list[Any]:
    """Standard output in one piece, then what the cell showed."""
    text = "".join(output.text for output in outputs if output.get("name") == "stdout")
    shown = [output for output in outputs if output.output_type != "stream"]
    for output in shown:
        output.metadata = {}
    streams = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
    return [*streams, *shown]


def _kernel() -> dict[str, str]:
    return {"display_name": "Python 3", "language": "python", "name": "python3"}


def main() -> int:
    """Executes the notebooks named on the command line, or all; returns the exit code."""
    wanted = [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb"))
    for path in wanted:
        started = time.monotonic()
        notebook = cleaned(execute(nbformat.read(path, as_version=4)))
        nbformat.validate(notebook)
        nbformat.write(notebook, path)
        size = path.stat().st_size / 1000
        print(f"{path.name}: {time.monotonic() - started:.0f} s, {size:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
