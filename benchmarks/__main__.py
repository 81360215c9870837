"""``python -m benchmarks``: measures, prints a table, writes ``benchmarks/results/latest.json``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.flagship import Bench, BenchmarkError
from benchmarks.measurement import Measurement, table, write_results
from benchmarks.suite import BENCHMARKS

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "latest.json"
FLAGSHIP = ROOT / "examples" / "flights"
SMALL = ROOT / "examples" / "taxi"
CORES = 2
_WIDTH = 160


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=sorted(BENCHMARKS), help="measure this; may be repeated"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"use the small project {SMALL.name}: shows that everything works, not how fast",
    )
    parser.add_argument("--project", type=Path, help="measure this project instead")
    parser.add_argument("--repeat", type=int, default=1, help="cold runs of each side; medians")
    parser.add_argument("--keep", type=Path, help="keep everything that is written, in this folder")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures; the exit code is 1 when a target is missed or something did not work."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    # A file has no width of its own; 80 columns would break each number.
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    # As an exception, so that what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended by SIGTERM."))
    machine.use_cores(CORES)
    described = machine.describe()
    console.print(machine.summary(described))
    if machine.is_busy(described):
        console.print("Something else is using this machine: trust ratios, not seconds.")
    done: list[Measurement] = []
    failed = False
    project = options.project or (SMALL if options.quick else FLAGSHIP)
    with _workspace(options.keep) as work:
        bench = Bench(project.absolute(), work, repeat=options.repeat)
        for name, measure in BENCHMARKS.items():
            if options.only and name not in options.only:
                continue
            console.print(f"measuring {name} …", style="dim")
            try:
                done.append(measure(bench))
            except BenchmarkError as error:
                failed = True
                console.print(f"{name}: {error}", style="red", markup=False)
    console.print(table(done))
    # Only the flagship's numbers are the ones that the targets are about.
    results = RESULTS if project == FLAGSHIP else RESULTS.with_name(f"{project.name}.json")
    write_results(results, done, {**described, "project": project.name})
    console.print(f"Written to {results}.", style="dim")
    return int(failed or not all(item.ok for item in done))


@contextlib.contextmanager
def _workspace(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
