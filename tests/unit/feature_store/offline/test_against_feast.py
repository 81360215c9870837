"""The same values as plain Python and as Feast's own DuckDB store, on random data."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEYS = {"one": ("k",), "two": ("k", "j")}
MAPPING = {"raw_x": "x"}

#: Rows for each label; so many that text is kept by number.
COPIES = 40
TEXTS = {None: None, 0: "0", 1: "1", 2: "2"}

hours = st.integers(0, 8)
keys = st.one_of(st.none(), st.integers(0, 2))
ttls = st.sampled_from([None, 1, 3])


@st.composite
def histories(draw, names):
    """Rows of a source. No two have the same key, time and creation: DuckDB takes any of them."""
    key = st.tuples(hours, hours, *[keys] * len(names))
    rows = draw(st.lists(key, unique=True, max_size=12))
    values = draw(
        st.lists(st.one_of(st.none(), st.integers(0, 99)), min_size=len(rows), max_size=len(rows))
    )
    return [(*row, value) for row, value in zip(rows, values, strict=True)]


cases = st.fixed_dictionaries(
    {
        "labels": st.lists(st.tuples(hours, keys, keys), min_size=1, max_size=8),
        "one": histories(KEYS["one"]),
        "two": histories(KEYS["two"]),
        "ttl": st.fixed_dictionaries({"one": ttls, "two": ttls}),
        "known": st.booleans(),
        "max_rows": st.sampled_from([2, 2_000_000]),
        "kind": st.sampled_from([pl.Int64, pl.String]),
    }
)


def naive(case, name):
    """The values of a view for each row, by trying all rows of its source."""
    found = []
    for time, *key in case["labels"]:
        wanted = key[: len(KEYS[name])]
        ttl = case["ttl"][name]
        seen = [
            (event, made, value)
            for event, made, *own, value in case[name]
            if own == wanted
            and None not in own
            and event <= time
            and (ttl is None or event >= time - ttl)
            and not (case["known"] and made > time)
        ]
        found.append(max(seen, key=lambda row: row[:2])[2] if seen else None)
    return found * COPIES


def write(project, case):
    """Writes the sources of a case; returns its views, with absolute paths as DuckDB needs."""
    views = []
    for name, feature, column in (("one", "x", "raw_x"), ("two", "y", "y")):
        schema = ["ts", "made", *KEYS[name], column]
        frame = pl.DataFrame(case[name], dict.fromkeys(schema, pl.Int64), orient="row")
        frame = frame.with_columns(pl.col(KEYS[name]).cast(case["kind"]))
        path = project.write(f"{name}.parquet", frame.to_dict())
        views.append(
            project.view(
                name,
                keys=KEYS[name],
                features=(feature,),
                kinds=dict.fromkeys(KEYS[name], case["kind"]),
                ttl=case["ttl"][name],
                created_timestamp_column="made",
                field_mapping=MAPPING if column != feature else {},
                path=str(path),
            )
        )
    return views


def join(store, case, at):
    labels = case["labels"] * COPIES
    frame = pd.DataFrame(
        {
            "row": range(len(labels)),
            "k": keys_of(labels, 1, case["kind"]),
            "j": keys_of(labels, 2, case["kind"]),
            "event_timestamp": [at(label[0]) for label in labels],
        }
    )
    options = {"filter_by_created_timestamp": True} if case["known"] else {}
    table = store.get_historical_features(frame, ["one:x", "two:y"], **options).to_arrow()
    return {name: table[name].to_pylist() for name in ("row", "x", "y")}


def keys_of(labels, column, kind):
    values = [label[column] for label in labels]
    return pd.array(values, "Int64") if kind == pl.Int64 else [TEXTS[value] for value in values]


@pytest.fixture
def fresh(project):
    """Makes an empty folder of its own for each example."""

    def make():
        shutil.rmtree(project.folder)
        project.folder = Path(tempfile.mkdtemp(dir=project.folder.parent))
        return project

    return make


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=cases)
def test_values_are_those_of_plain_python(fresh, at, case):
    project = fresh()
    store = project.store(*write(project, case), max_rows_per_pass=case["max_rows"])
    ours = join(store, case, at)
    assert ours["row"] == list(range(len(case["labels"]) * COPIES))
    assert ours["x"] == naive(case, "one")
    assert ours["y"] == naive(case, "two")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=cases)
def test_values_are_those_of_feasts_duckdb_store(fresh, at, case):
    project = fresh()
    views = write(project, case)
    ours = join(project.store(*views), case, at)
    theirs = join(project.store(*views, kind="duckdb"), case, at)
    order = sorted(range(len(theirs["row"])), key=theirs["row"].__getitem__)
    assert {name: [values[i] for i in order] for name, values in theirs.items()} == ours


def test_materialized_values_are_those_of_feasts_duckdb_store(project, at):
    case = {
        "one": [(0, 0, 1, 10), (2, 5, 1, 11), (2, 3, 1, 12), (1, 1, 2, 20), (9, 9, 2, 21)],
        "two": [],
        "ttl": {"one": None, "two": None},
        "kind": pl.Int64,
    }
    views = write(project, case)
    answers = []
    for kind in ("duckdb", None):
        store = project.store(*views, **({"kind": kind} if kind else {}))
        store.materialize(at(0), at(0) + timedelta(hours=5), ["one"])
        answers.append(store.get_online_features(["one:x"], [{"k": 1}, {"k": 2}]).to_dict())
        (project.folder / "online.db").unlink()
    assert answers[0] == answers[1] == {"k": [1, 2], "x": [11, 20]}
