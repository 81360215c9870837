"""The reader against Feast's own answers, on what Feast itself wrote."""

import random

import pytest

from headrace.feature_store.online import (
    FeatureRequestError,
    OnlineReader,
    Status,
    UnknownFeaturesError,
)

from .conftest import DRIVERS, EPOCH

REQUESTS = {
    "driver": lambda c: {"driver_id": c.randrange(DRIVERS + 10)},
    "everything": lambda c: {
        "driver_id": c.randrange(DRIVERS + 10),
        "origin": c.choice(["JFK", "LGA", "É", "none"]),
        "dest": c.choice(["LAX", "SFO", "", "none"]),
    },
    "both_ends": lambda c: {"origin": c.choice(["JFK", "XX"]), "dest": c.choice(["SFO", "LAX"])},
    "computed": lambda c: {"driver_id": c.randrange(DRIVERS), "factor": c.random()},
}


def reader(store, features, **options):
    return OnlineReader(store, features, now=lambda: EPOCH, **options)


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize(
    ("service", "full"),
    # Both ends have the same feature names, so they need the full ones.
    [(name, full) for name in REQUESTS for full in (False, True) if full or name != "both_ends"],
)
@pytest.mark.parametrize("where", ["store", "sqlite_store"])
def test_answers_are_feasts_where_nothing_is_stale(request, where, service, full, count):
    store = request.getfixturevalue(where)
    chance = random.Random(f"{service}{count}")
    rows = [REQUESTS[service](chance) for _ in range(count)]
    fast = reader(store, service, full_feature_names=full)
    assert fast.fallback is None
    answer = fast.read(rows)
    feast = store.get_online_features(
        store.get_feature_service(service), rows, full_feature_names=full
    ).to_dict(include_event_timestamps=True)
    ours = answer.to_dict(include_event_timestamps=True)
    # Feast leaves out features of mode python when names are full.
    lost = {"in_python__scaled", "in_python__whole"} if full and service == "computed" else set()
    assert ours.keys() - {f"{n}{s}" for n in lost for s in ("", "__ts")} == feast.keys()
    for name, statuses in answer.statuses.items():
        if name in lost or name in ("scaled", "summed", "in_pandas__summed"):
            continue  # computed from rows that Feast does not know to be stale
        for place, status in enumerate(statuses):
            if status == Status.OUTSIDE_MAX_AGE:
                assert ours[name][place] is None
            else:
                assert ours[name][place] == feast[name][place]
                assert type(ours[name][place]) is type(feast[name][place])
            if name not in rows[0] and status != Status.NOT_FOUND and where == "store":
                assert ours[f"{name}__ts"][place] == feast[f"{name}__ts"][place]


def test_unknown_features_are_told(store):
    with pytest.raises(UnknownFeaturesError, match="no feature service 'nothing'"):
        reader(store, "nothing")
    with pytest.raises(UnknownFeaturesError, match="nowhere"):
        reader(store, ["nowhere:x"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"drivers": 1}], "lacks 'driver_id'; it has 'drivers'"),
        ([{"driver_id": "x"}], "'driver_id' must hold INT64 values, but got 'x'"),
        ([{"driver_id": None}], "must hold INT64 values, but got None"),
        ([{"driver_id": 1 << 63}], "must hold INT64 values"),
        ({"driver_id": [1], "x": [1, 2]}, "differ in length"),
        ([{"driver_id": 1}, {"other": 1}], "differ in their columns"),
    ],
)
def test_unusable_requests_are_told(store, rows, words):
    with pytest.raises(FeatureRequestError, match=words):
        reader(store, ["numbers:trips"]).read(rows)
