"""The entity frame as it is read, without Feast, which copies it unless it is told not to."""

import pandas as pd
import pytest

from headrace.feature_store.offline.entities import read_entities


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_times_that_the_caller_changes_later_stay_as_they_were(unit, zone):
    times = pd.date_range("2026-01-01", periods=2, freq="h", tz=zone, unit=unit)
    frame = pd.DataFrame({"k": [1, 2], "event_timestamp": times})
    entities = read_entities(frame)
    before = entities.table["event_timestamp"].to_pylist()
    frame.loc[0, "event_timestamp"] = times[1]
    assert entities.table["event_timestamp"].to_pylist() == before
    assert before[0] != before[1]


@pytest.mark.parametrize("values", [[1, 2], [1.5, None], [True, False], ["a", "b"]])
def test_values_that_the_caller_changes_later_stay_as_they_were(values):
    times = pd.date_range("2026-01-01", periods=2, freq="h", tz="UTC")
    frame = pd.DataFrame({"k": values, "event_timestamp": times})
    entities = read_entities(frame)
    before = entities.table["k"].to_pylist()
    frame.loc[0, "k"] = values[1]
    assert entities.table["k"].to_pylist() == before == values
