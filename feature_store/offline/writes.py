"""Writing to the files of a source: whole files appear, or nothing does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
from feast.errors import SavedDatasetLocationAlreadyExists

from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.files import writing
from headrace.feature_store.offline.sources import Place
from headrace.feature_store.offline.times import tidy
from headrace.feature_store.offline.views import schema_of


def append(place: Place, table: pa.Table, mapping: dict[str, str]) -> None:
    """Adds rows to a source.

    A folder, or a glob such as ``folder/*.parquet``, gets one more file; a single file is written
    again with the rows at its end, while others that push to it on this machine wait.

    Args:
        place: The source.
        table: Rows with the source's columns, in its order.
        mapping: The source's field mapping; columns may have the names that it gives them.

    Raises:
        DataError: the columns are not the source's.
        ConfigError: the source is not one that can be added to.
    """
    expected = list(schema_of(place.scan(), place))
    table = tidy(_checked(place, table, expected, mapping))
    if place.delta:
        import deltalake

        existing = deltalake.DeltaTable(place.path, storage_options=place.options)
        schema = pa.schema(existing.schema().to_arrow())
        with writing(place.path):
            deltalake.write_deltalake(
                place.path,
                _cast(place, table, schema),
                mode="append",
                storage_options=place.options,
            )
    elif place.remote:
        add_rows(place, table)
    elif Path(place.path).is_file():
        _append_to_file(Path(place.path), _cast(place, table, pq.read_schema(place.path)))
    else:
        table = _cast(place, table, pq.read_schema(place.files()[0]))
        _add_part(_folder(place), table, place.partitions)


def add_rows(place: Place, table: pa.Table, partitions: Sequence[str] = ()) -> None:
    """Adds rows to a folder as one file more (one for each partition).

    Args:
        place: The folder, made if it is missing.
        table: The rows.
        partitions: Columns to make folders of, as in ``day=2013-01-01``.

    Raises:
        ConfigError: an object store's place cannot be added to.
    """
    if not place.remote:
        _add_part(Path(place.path), table, partitions)
        return
    if partitions or place.path.endswith(".parquet"):
        raise ConfigError(
            f"{place.owner}: no rows can be added to {place.path}: in an object store that takes a "
            "folder without partitions.",
            fix="Give a folder of objects as the path, without `partition_by`, or use Delta.",
        )
    frame = pl.DataFrame(pl.from_arrow(table))
    with writing(place.path):
        frame.write_parquet(
            f"{place.path}/{_part_name()}.parquet", storage_options=place.options or None
        )


def _part_name() -> str:
    """A new name; files are read in the order of names, so that the latest wins a tie."""
    return f"pushed-{time.time_ns()}-{uuid.uuid4().hex[:8]}"


def _add_part(folder: Path, table: pa.Table, partitions: Sequence[str] = ()) -> None:
    with writing(folder), _staging(folder) as staging:
        pyarrow.dataset.write_dataset(
            table,
            staging,
            format="parquet",
            basename_template=f"{_part_name()}-{{i}}.parquet",
            partitioning=list(partitions) or None,
            partitioning_flavor="hive" if partitions else None,
        )
        for file in sorted(staging.rglob("*.parquet")):
            target = folder / file.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def save(place: Place, table: pa.Table, *, overwrite: bool) -> None:
    """Writes a table to a new place.

    Args:
        place: A file ending in ``.parquet``, a folder, or a Delta table.
        table: What to write.
        overwrite: Whether something may be there already.

    Raises:
        SavedDatasetLocationAlreadyExists: something is there.
        ConfigError: Parquet in an object store, which cannot be checked for what is there.
    """
    if place.delta:
        import deltalake

        if not overwrite and deltalake.DeltaTable.is_deltatable(place.path, place.options):
            raise SavedDatasetLocationAlreadyExists(location=place.path)
        with writing(place.path):
            deltalake.write_deltalake(
                place.path,
                table,
                mode="overwrite",
                schema_mode="overwrite",
                storage_options=place.options,
            )
        return
    if place.remote:
        raise ConfigError(
            f"{place.owner} cannot be written as Parquet to {place.path}.",
            fix="Use `file_format=DeltaFormat()` for an object store, or a path on this machine.",
        )
    path = Path(place.path)
    if path.exists() and not overwrite:
        raise SavedDatasetLocationAlreadyExists(location=place.path)
    with writing(path), _staging(path.parent) as staging:
        staging.mkdir(parents=True)
        new = staging / path.name
        if path.suffix == ".parquet":
            pq.write_table(table, new)
        else:
            _add_part(new, table)
        if path.is_dir():
            path.rename(staging / "old")
        new.replace(path)


def _checked(
    place: Place, table: pa.Table, expected: list[str], mapping: dict[str, str]
) -> pa.Table:
    """The table under the source's names, if it has the source's columns in its order."""
    # pandas puts the index of a filtered frame in here.
    table = table.select([n for n in table.column_names if not n.startswith("__index_level_")])
    columns = {feature: column for column, feature in mapping.items()}
    names = [n if n in expected else columns.get(n, n) for n in table.column_names]
    if names != expected:
        raise DataError(
            f"{place.owner}: rows for {place.path} must have the columns {expected}, in this "
            f"order; they have {names}.",
            fix="Select these columns in this order.",
        )
    return table.rename_columns(names)


def _cast(place: Place, table: pa.Table, schema: pa.Schema) -> pa.Table:
    fields = [
        schema.field(field.name) if field.name in schema.names else field for field in table.schema
    ]
    try:
        return table.cast(pa.schema(fields))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"{place.owner}: the rows do not fit the types of {place.path}: {error}",
            fix=f"Convert them to {', '.join(f'{field.name}: {field.type}' for field in fields)}.",
        ) from error


def _append_to_file(path: Path, table: pa.Table) -> None:
    with writing(path), _alone_in(path.parent), _staging(path.parent) as staging:
        staging.mkdir()
        new = staging / path.name
        with pq.ParquetFile(path) as old, pq.ParquetWriter(new, old.schema_arrow) as writer:
            for number in range(old.num_row_groups):
                writer.write_table(old.read_row_group(number))
            writer.write_table(table)
        new.replace(path)


def _folder(place: Place) -> Path:
    """The folder to add a file to so that the source's glob finds it."""
    path = Path(place.path)
    if place.pattern and (path.name not in ("*", "*.parquet") or path.parent != place.root):
        raise ConfigError(
            f"{place.owner} reads {place.path}, to which no file can be added that the pattern "
            "would surely match.",
            fix="Give the source the folder as its path, or a pattern such as folder/*.parquet.",
        )
    return place.root


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A hidden name beside the target, so that renaming is atomic; what is left goes away."""
    staging = folder / f".{uuid.uuid4().hex}.{os.getpid()}.tmp"
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Waits until no other push writes a file of the folder again; rows would get lost."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
