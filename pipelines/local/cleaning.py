"""Removes old runs, and finished steps that no remaining run shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headrace.pipelines.local.home import Home


@dataclass(frozen=True)
class Cleaned:
    """What was removed."""

    runs: int
    steps: int
    bytes: int


def clean(home: Home, keep: int) -> Cleaned:
    """Keeps the newest runs and the steps they show, removes everything else.

    Raises:
        ConfigError: A run is going on in this home.
    """
    home.prepare()
    with home.exclusive():
        ids = home.run_ids()
        kept = {folder for run_id in ids[:keep] for folder in _folders(home, run_id)}
        steps = [step for step in home.steps.glob("[!.]*/*") if step not in kept]
        runs = [home.runs / run_id for run_id in ids[keep:]]
        size = sum(_size(folder) for folder in (*runs, *steps))
        for folder in (*runs, *steps):
            home.discard(folder)
        for task in home.steps.glob("[!.]*"):
            if not any(task.iterdir()):
                task.rmdir()
        for leftover in home.partial.iterdir():
            home.discard(leftover)
    return Cleaned(len(runs), len(steps), size)


def _folders(home: Home, run_id: str) -> list[Path]:
    tasks = home.read(run_id).tasks.values()
    # By name, because the home may have been moved since the run.
    names = (Path(task.folder).parts[-2:] for task in tasks if task.folder)
    return [home.steps.joinpath(*parts) for parts in names]


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
