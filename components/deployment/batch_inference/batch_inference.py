"""The work of ``batch_inference``: shard by shard, and on from where a killed run ended."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from headrace.components.deployment.batch_inference.features import Completing, completing
from headrace.components.deployment.batch_inference.model import REJECTED, Model
from headrace.components.deployment.batch_inference.shards import Parts, Table
from headrace.components.features.historical_features.history import EVENT_TIMESTAMP
from headrace.components.shared import files
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.model_store import ModelStore
from headrace.components.shared.text import markdown_table, nearest

_LOGGER = logging.getLogger(__name__)
VERSION, TIME = "model_version", "predicted_at"


@dataclass(frozen=True)
class Result:
    """What was predicted.

    Attributes:
        model: Model name.
        version: The version that answered.
        folder: Where the predictions are.
        rows: Rows of the table.
        rejected: Rows without a prediction.
        shards: Shards of the table.
        found_done: Shards that an earlier run had done.
    """

    model: str
    version: int
    folder: str
    rows: int
    rejected: int
    shards: int
    found_done: int

    def record(self) -> dict[str, Any]:
        """The same as plain values."""
        return dataclasses.asdict(self)


def run(
    *,
    rows: str,
    destination: str,
    models: str,
    model: str,
    version: int,
    keys: Sequence[str],
    as_of: str,
    repo_code: Mapping[str, str],
    root: str,
    shard_rows: int,
) -> Result:
    """Predicts all rows that are not predicted yet.

    Args:
        rows: Parquet file, folder or glob, local or a URI.
        destination: Folder or URI above the predictions' folder.
        models: Folder or URI of pushed models.
        model: Model name.
        version: Version to ask; 0 for the newest.
        keys: Columns to copy; empty for those that identify a row.
        as_of: Moment for rows without ``event_timestamp``; may be empty.
        repo_code: The Feast repository's files by name; may be empty.
        root: What paths in it are relative to.
        shard_rows: Rows of a shard, at most.

    Raises:
        ConfigError: there is no such model or version, or an argument is not usable.
        SourceError: there is no table.
        DataError: the table lacks a column, or one has values of a wrong type.
        StorageError: the destination cannot be written.
    """
    if shard_rows < 1:
        raise ConfigError(f"shard_rows is {shard_rows}.", fix="Use 1 or more.")
    table = Table(rows)
    shards = table.shards(shard_rows)
    store = ModelStore(models, model)
    chosen = _version(store, model, version)
    with tempfile.TemporaryDirectory(prefix="headrace-model-") as scratch:
        saved = Path(scratch)
        store.fetch(chosen, saved)
        basis = [files.digest(saved), table.identity(), list(keys), as_of, root, dict(repo_code)]
        folder = f"{destination.rstrip('/')}/v{chosen}-{_hash([*basis, shard_rows])}"
        parts = Parts(folder, len(shards))
        missing = parts.missing()
        if missing:
            loaded = Model(saved)
            asked = store.manifest(chosen).get("feature_store") or {}
            with completing(loaded.inputs, asked, repo_code, root) as complete:
                job = _Job(loaded, chosen, complete, keys, as_of, asked.get("join_keys", []))
                for number in missing:
                    parts.write(number, job.predicted(table.read(shards[number])))
                    _LOGGER.info("shard %d of %d is predicted", number + 1, len(shards))
    height, rejected = parts.count()
    found = len(shards) - len(missing)
    result = Result(model, chosen, folder, height, rejected, len(shards), found)
    parts.finish(json.dumps({**result.record(), "table": rows}, indent=2).encode())
    return result


@dataclass(frozen=True)
class _Job:
    """What is the same for all shards."""

    model: Model
    version: int
    complete: Completing
    keys: Sequence[str]
    as_of: str
    join_keys: Sequence[str]

    def predicted(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self.as_of:
            rows = _at(rows, self.as_of)
        copied = rows.select(self._copied(rows))
        answers = self.model.predict(self.complete(rows))
        now = pl.lit(dt.datetime.now(dt.UTC))
        return copied.hstack(answers).with_columns(
            pl.lit(self.version, pl.Int64).alias(VERSION), now.alias(TIME)
        )

    def _copied(self, rows: pl.DataFrame) -> list[str]:
        """The columns that say which row a prediction is for."""
        ours = {*self.model.outputs, REJECTED, VERSION, TIME}
        identifying = {*self.join_keys, EVENT_TIMESTAMP, *set(rows.columns) - {*self.model.inputs}}
        copied = list(self.keys) or [name for name in rows.columns if name in identifying]
        for name in copied:
            if name not in rows.columns:
                raise DataError(
                    f"The table has no column {name!r}, which keys name.",
                    fix=nearest(name, rows.columns),
                )
            if name in ours:
                raise DataError(
                    f"Column {name!r} has the name of a column of the predictions.",
                    fix="Rename it, or name other columns as keys.",
                )
        if not copied:
            raise DataError(
                "Every column of the table is a feature; nothing says which row is which.",
                fix="Name the columns to copy beside the predictions (--key).",
            )
        return copied


def _at(rows: pl.DataFrame, as_of: str) -> pl.DataFrame:
    from headrace.feature_store.clock import moment

    if EVENT_TIMESTAMP in rows.columns:
        raise DataError(
            f"The table says with {EVENT_TIMESTAMP} as of when each row is meant, and as_of too.",
            fix="Leave out --as-of, or the column.",
        )
    return rows.with_columns(pl.lit(moment(as_of)).alias(EVENT_TIMESTAMP))


def _version(store: ModelStore, model: str, wanted: int) -> int:
    known = store.versions()
    if not known:
        raise ConfigError(
            f"No version of model {model!r} has been pushed to {store.uri}.",
            fix="Push one with `headrace run`, or name the folder above the model's own.",
        )
    if wanted and wanted not in known:
        raise ConfigError(
            f"Model {model!r} has no version {wanted} in {store.uri}.",
            fix=f"There are: {', '.join(map(str, known))}.",
        )
    return wanted or known[0]


def _hash(basis: Sequence[Any]) -> str:
    text = json.dumps(basis, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def summary(result: Result) -> str:
    """What was predicted, as Markdown."""
    rows = [(name.replace("_", " "), f"{value}") for name, value in result.record().items()]
    return f"# Predictions of {result.model}, version {result.version}\n\n" + markdown_table(
        ("", ""), rows
    )


def verdict(result: Result) -> str:
    """One line for people."""
    text = f"{result.rows:,} rows predicted by version {result.version}"
    if result.rejected:
        text += f", {result.rejected:,} of them rejected"
    if result.found_done:
        text += f"; {result.found_done} of {result.shards} shards were done before"
    return text
