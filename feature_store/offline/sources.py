"""Reading what a Feast source points to: Parquet files, folders and globs, and Delta tables."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from feast.data_format import DeltaFormat, ParquetFormat
from feast.data_source import DataSource
from feast.infra.offline_stores.file_source import FileSource

from headrace.components.shared.errors import ConfigError, HeadraceError, SourceError

_STORES = {
    "SparkSource": "spark",
    "BigQuerySource": "bigquery",
    "SnowflakeSource": "snowflake.offline",
    "RedshiftSource": "redshift",
    "PostgreSQLSource": "postgres",
    "TrinoSource": "trino",
    "AthenaSource": "athena",
}


@dataclass(frozen=True)
class Place:
    """Where the rows of a source are.

    Attributes:
        path: An absolute path, or a URI.
        owner: Who reads it, for messages.
        delta: Whether it is a Delta table.
        options: What an object store needs.
    """

    path: str
    owner: str
    delta: bool = False
    options: dict[str, str] = field(default_factory=dict)

    @property
    def remote(self) -> bool:
        """Whether it is in an object store."""
        return "://" in self.path

    @property
    def pattern(self) -> bool:
        """Whether it is a glob."""
        return glob.has_magic(self.path) and not (self.remote or Path(self.path).exists())

    @property
    def root(self) -> Path:
        """The folder itself, or that of a glob above its first wildcard."""
        folder = Path(self.path)
        while self.pattern and glob.has_magic(str(folder)):
            folder = folder.parent
        return folder

    @property
    def partitions(self) -> list[str]:
        """The columns that folders hold, as in ``day=2013-01-01/part.parquet``."""
        folders = self.files()[0].relative_to(self.root).parent.parts
        return [name.partition("=")[0] for name in folders if "=" in name]

    def files(self) -> list[Path]:
        """The Parquet files, sorted by path, without hidden ones.

        Raises:
            SourceError: there are none.
        """
        path = Path(self.path)
        if path.is_file():
            return [path]
        if path.is_dir():
            files = sorted(_below(path))
        else:
            matches = (Path(name) for name in glob.glob(self.path, recursive=True))
            files = sorted(
                item
                for item in matches
                if item.is_file() and not any(map(_hidden, item.relative_to(self.root).parts))
            )
        if not files:
            raise SourceError(
                f"{self.owner} reads {self.path}, where there is no Parquet file.",
                fix="Make the file, or correct the source's path; paths are relative to the folder "
                "of feature_store.yaml.",
            )
        return files

    def scan(self) -> pl.LazyFrame:
        """The rows, to be read when they are needed."""
        with reading(self):
            if self.delta:
                return pl.scan_delta(self.path, storage_options=self.options or None)
            if self.remote:
                target = (
                    self.path if self.path.endswith(".parquet") else f"{self.path}/**/*.parquet"
                )
                return pl.scan_parquet(target, storage_options=self.options or None)
            return pl.scan_parquet(
                self.files(), glob=False, hive_partitioning=bool(self.partitions)
            )


def locate(source: DataSource | None, repo: Path | str | None, owner: str) -> Place:
    """Finds out where a source's rows are.

    Args:
        source: A view's batch source.
        repo: The folder that relative paths are relative to.
        owner: Who reads it, for messages, such as ``Feature view 'weather'``.

    Raises:
        ConfigError: it is not a source of files.
    """
    if not isinstance(source, FileSource):
        raise _not_files(source, owner)
    if not isinstance(source.file_format, ParquetFormat | DeltaFormat | None):
        raise ConfigError(
            f"{owner} reads {source.path} as {type(source.file_format).__name__}; this offline "
            "store reads ParquetFormat and DeltaFormat.",
            fix="Convert the file to Parquet, and leave out `file_format`.",
        )
    path = FileSource.get_uri_for_file_path(repo, source.path.removeprefix("file://"))
    is_delta = isinstance(source.file_format, DeltaFormat) or Path(path, "_delta_log").is_dir()
    return Place(path, owner, is_delta, _storage_options(source))


@contextlib.contextmanager
def reading(place: Place) -> Iterator[None]:
    """Turns what a library says about unreadable files into a :class:`SourceError`."""
    try:
        yield
    except HeadraceError:
        raise
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(place, error) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("deltalake", "_internal"):
            raise
        raise _unreadable(place, error) from error


def _unreadable(place: Place, error: Exception) -> SourceError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    kind = "a Delta table" if place.delta else "Parquet"
    return SourceError(
        f"{place.owner} reads {place.path}, which cannot be read as {kind}: {first}",
        fix="Correct the source's path or write the data again; all files of a folder need the "
        "same columns and types.",
    )


def _not_files(source: DataSource | None, owner: str) -> ConfigError:
    if source is None:
        return ConfigError(
            f"{owner} has no batch source, so it has no history to join.",
            fix="Give the view a FileSource, or a PushSource with a `batch_source`.",
        )
    kind = type(source).__name__
    store = _STORES.get(kind)
    advice = (
        f"Set `offline_store: {{type: {store}}}` in feature_store.yaml, or export"
        if store
        else (
            "Set Feast's own offline store for this kind of source in feature_store.yaml, or export"
        )
    )
    return ConfigError(
        f"{owner} reads the {kind} {source.name!r}; this offline store reads files only "
        "(FileSource with Parquet or Delta).",
        fix=f"{advice} the table to Parquet and use a FileSource.",
    )


def _storage_options(source: FileSource) -> dict[str, str]:
    options = {
        str(name): str(value) for name, value in (source.resolve_credentials() or {}).items()
    }
    if source.s3_endpoint_override:
        options["AWS_ENDPOINT_URL"] = source.s3_endpoint_override
    return options


def _below(folder: Path) -> Iterator[Path]:
    """The Parquet files below a folder; what a writer removes meanwhile is no error."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _hidden(name)]
        yield from (Path(place, n) for n in names if n.endswith(".parquet") and not _hidden(n))


def _hidden(name: str) -> bool:
    """Whether a name says that writers keep it for themselves; ``_day=1`` is a partition."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)
