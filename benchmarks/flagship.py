"""Training runs of a project with ``headrace run``, each timed as its user would time it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from headrace.components.shared.config.data import SPLITS
from headrace.components.shared.config.project import Project, load
from headrace.pipelines.local.home import Home
from headrace.pipelines.local.records import RunRecord

HEADRACE = str(Path(sys.executable).with_name("headrace"))


class BenchmarkError(Exception):
    """Something that was to be measured did not work; the message says where its log is."""


@dataclass(frozen=True)
class Run:
    """A finished run."""

    seconds: float
    record: RunRecord

    def artifact(self, step: str, name: str) -> Path:
        """The folder or file of a step's output."""
        return Path(self.record.tasks[step].outputs.artifacts[name].uri)


@dataclass(frozen=True)
class Bench:
    """What all measurements share.

    Attributes:
        folder: The project.
        work: Where everything is written.
        repeat: How often to repeat whole cold runs.
    """

    folder: Path
    work: Path
    repeat: int = 1

    @cached_property
    def project(self) -> Project:
        """The project's settings."""
        return load(self.folder)

    @cached_property
    def cold(self) -> list[Run]:
        """Runs with an empty home each; made when first asked for, then shared."""
        return [self.run(self.work / f"home-{number}") for number in range(self.repeat)]

    def run(self, home: Path) -> Run:
        """Runs the project with ``headrace run``.

        Raises:
            BenchmarkError: the model was not pushed.
        """
        seconds = timed(
            [HEADRACE, "run", str(self.folder), "--home", str(home)], self.work / "headrace.log"
        )
        return Run(seconds, Home(home).find("latest"))

    @cached_property
    def visible(self) -> list[str]:
        """The columns that the model may see."""
        hidden = {
            self.project.label.column,
            *self.project.features.exclude,
            *self.project.features.known_after,
        }
        return [name for name in self.rows["train"].columns if name not in hidden]

    @cached_property
    def rows(self) -> dict[str, pl.DataFrame]:
        """The rows of every split, from the examples that the first cold run trained on."""
        from headrace.components.shared import examples

        source = self.cold[0].artifact("example-gen", "examples")
        tables = {
            split: pl.DataFrame(pl.from_arrow(examples.read(examples.shards(source, split))))
            for split in SPLITS
        }
        # A feature that a whole split lacks is not in that split's records.
        whole = pl.concat([table.head(0) for table in tables.values()], how="diagonal_relaxed")
        return {
            split: pl.concat([whole, table], how="diagonal_relaxed")
            for split, table in tables.items()
        }


def timed(command: Sequence[str], log: Path, **environment: str) -> float:
    """Runs a command to its end and returns its wall time in seconds.

    Args:
        command: Program and arguments.
        log: File to append its output to.
        environment: Variables to add.

    Raises:
        BenchmarkError: it failed.
    """
    with log.open("a", encoding="utf-8") as output:
        started = time.perf_counter()
        result = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            check=False,
        )
        seconds = time.perf_counter() - started
    if result.returncode:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise BenchmarkError(
            f"`{' '.join(map(str, command[:4]))} …` ended with {result.returncode}:\n{last}\n"
            f"Its log is {log}."
        )
    return seconds
