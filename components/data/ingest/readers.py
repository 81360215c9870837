"""One reader per format; each returns a whole table or a message that names the file."""

from __future__ import annotations

import glob
import importlib.util
import io
import os
import re
import urllib.parse
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from headrace.components.shared.config.data import Source
from headrace.components.shared.errors import ConfigError, SourceError
from headrace.components.shared.text import nearest

PACKAGE = "package://"
_OTHER_DELIMITERS = ";\t|,"


@dataclass(frozen=True)
class Content:
    """A file's place and bytes; a ZIP archive counts as the one file inside it."""

    origin: str
    data: bytes


def locate(path: str) -> list[Path]:
    """The files that ``path`` (file, folder, glob or ``package://``) stands for, sorted.

    Raises:
        SourceError: nothing is there.
    """
    if path.startswith(PACKAGE):
        return [_package_file(path)]
    here = Path(path)
    if here.is_dir():
        found = sorted(item for item in here.iterdir() if item.is_file())
    else:
        found = sorted(Path(item) for item in glob.glob(path, recursive=True))
    if found:
        return found
    siblings = [item.name for item in here.parent.iterdir()] if here.parent.is_dir() else []
    raise SourceError(
        f"Source file {path} does not exist or is an empty folder.",
        fix=f"Correct `path` in project.yaml. {nearest(here.name, siblings)}",
    )


def read(name: str, source: Source) -> tuple[pl.DataFrame, list[Content]]:
    """Reads all files (or the query) of a source into one table.

    Raises:
        SourceError: a file is missing, empty, in another format or encoding, or files disagree.
    """
    if source.format == "sql":
        return _read_sql(name, source), []
    assert source.path is not None
    if source.format == "delta":
        return _read_delta(name, source.path), []
    contents = [_content(path) for path in locate(source.path)]
    tables = [_parse(content, source) for content in contents]
    return _stack(name, tables, contents), contents


def _parse(content: Content, source: Source) -> pl.DataFrame:
    if not content.data.strip():
        raise SourceError(f"{content.origin} is empty.", fix="Provide a file with rows.")
    try:
        if source.format == "csv":
            return _parse_csv(content, source)
        if source.format == "jsonl":
            _require_utf8(content)
            return pl.read_ndjson(io.BytesIO(content.data), infer_schema_length=None)
        return pl.read_parquet(io.BytesIO(content.data))
    except pl.exceptions.PolarsError as error:
        raise SourceError(
            f"{content.origin} is not valid {source.format}: {_first_line(error)}",
            fix=f"Correct the file, or set the right `format` (now {source.format}) for it.",
        ) from error


def _parse_csv(content: Content, source: Source) -> pl.DataFrame:
    _require_utf8(content)
    clean = source.clean
    originals = {new: old for old, new in clean.rename.items()}
    as_text = [originals.get(c, c) for c in (*clean.types, *clean.timestamps)]
    table = pl.read_csv(
        io.BytesIO(content.data),
        separator=source.delimiter,
        skip_lines=source.skip_lines,
        null_values=clean.null_values,
        infer_schema_length=None,
        schema_overrides=dict.fromkeys(as_text, pl.String),
    )
    _check_delimiter(table, content, source.delimiter)
    return table


def _check_delimiter(table: pl.DataFrame, content: Content, delimiter: str) -> None:
    if table.width != 1:
        return
    header = table.columns[0]
    for other in _OTHER_DELIMITERS:
        if other != delimiter and other in header:
            raise SourceError(
                f"{content.origin} has one column, {header[:60]!r}, when split at {delimiter!r}.",
                fix=f"Set `delimiter: {other!r}` for this source.",
            )


def _require_utf8(content: Content) -> None:
    try:
        content.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{content.origin} is not UTF-8: byte {content.data[error.start]:#04x} in line {line}.",
            fix="Convert it, for example with `iconv -f latin1 -t utf-8`.",
        ) from None


def _stack(name: str, tables: list[pl.DataFrame], contents: list[Content]) -> pl.DataFrame:
    first = tables[0]
    for table, content in zip(tables[1:], contents[1:], strict=True):
        if set(table.columns) != set(first.columns):
            differing = ", ".join(sorted(set(table.columns) ^ set(first.columns)))
            raise SourceError(
                f"{content.origin} and {contents[0].origin} of source {name!r} have different "
                f"columns: {differing}.",
                fix="Make the files alike, or make them sources of their own.",
            )
    try:
        return pl.concat(
            [table.select(first.columns) for table in tables], how="vertical_relaxed", rechunk=True
        )
    except pl.exceptions.PolarsError:
        raise _differing_types(name, tables, contents) from None


def _differing_types(name: str, tables: list[pl.DataFrame], contents: list[Content]) -> SourceError:
    first = tables[0].schema
    place, column, kind = next(
        (content.origin, column, table.schema[column])
        for table, content in zip(tables[1:], contents[1:], strict=True)
        for column in first
        if table.schema[column] != first[column]
    )
    return SourceError(
        f"Column {column!r} is {kind} in {place} but {first[column]} in {contents[0].origin} "
        f"(source {name!r}).",
        fix="Make the files alike, or make them sources of their own.",
    )


def _read_sql(name: str, source: Source) -> pl.DataFrame:
    import sqlalchemy

    url = os.path.expandvars(source.url or "")
    unset = re.search(r"\$\{?(\w+)\}?", url)
    if unset and unset[1] not in os.environ:
        raise SourceError(
            f"The url of source {name!r} uses the environment variable {unset[1]}, which is "
            "not set.",
            fix=f"Set {unset[1]} where the pipeline runs.",
        )
    try:
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            return pl.read_database(
                source.query or "", connection=connection, infer_schema_length=None
            )
    except (sqlalchemy.exc.SQLAlchemyError, pl.exceptions.PolarsError, ImportError) as error:
        raise SourceError(
            f"The query of source {name!r} failed on {_without_password(url)}: "
            f"{_reason(error, url)}",
            fix="Check `url` and `query`; the database's driver must be installed.",
        ) from None


def _read_delta(name: str, path: str) -> pl.DataFrame:
    import deltalake

    try:
        return pl.DataFrame(pl.from_arrow(deltalake.DeltaTable(path).to_pyarrow_table()))
    except (deltalake.exceptions.DeltaError, OSError) as error:
        raise SourceError(
            f"Source {name!r}: {path} is not a Delta Lake table: {_first_line(error)}",
            fix="Point `path` to the folder that holds `_delta_log`.",
        ) from None


def _content(path: Path) -> Content:
    try:
        if path.suffix != ".zip":
            return Content(str(path), path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.namelist() if not m.endswith("/")]
            if len(members) != 1:
                raise SourceError(
                    f"{path} holds {len(members)} files; one was expected.",
                    fix="Unpack it and use a glob.",
                )
            return Content(f"{path}:{members[0]}", archive.read(members[0]))
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} cannot be read: {error}", fix="Check the file.") from None


def _package_file(uri: str) -> Path:
    package, _, inside = uri.removeprefix(PACKAGE).partition("/")
    # find_spec does not import the package: some print or load data when imported.
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        raise ConfigError(
            f"{uri}: the Python package {package!r} is not installed.", fix="Install it."
        )
    path = Path(spec.origin).parent / inside
    if not path.is_file():
        raise SourceError(f"{uri}: there is no {inside} in {package}.", fix="Correct `path`.")
    return path


def _without_password(url: str) -> str:
    import sqlalchemy

    try:
        # Some drivers take the password as ?password=...
        parsed = sqlalchemy.make_url(url).set(query={})
        return parsed.render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return "an unreadable URL"


def _reason(error: Exception, url: str) -> str:
    """What the database says; some repeat the URL or the password in it."""
    text = _first_line(error).replace(url, _without_password(url))
    password = urllib.parse.urlsplit(url).password
    return text.replace(password, "***") if password else text


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def expand(values: Mapping[str, Mapping[str, object]]) -> dict[str, Source]:
    """Parses the pipeline parameter ``sources``."""
    return {name: Source.parse(value, where=f"source {name!r}") for name, value in values.items()}
