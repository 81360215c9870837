"""The audit trail: appended to by many, changed by nobody; and the command that reads it."""

from __future__ import annotations

import json
import multiprocessing

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.components.shared.errors import ConfigError, DataError
from headrace.serving.audit.trail import Event, Trail, read_trail


def event(what, version, at="", actor="gateway one"):
    return Event(what, "flights", version, actor, at)


def _append(path, first):
    trail = Trail(path)
    for number in range(first, first + 50):
        trail.record(event("available", number))


def test_entries_come_back_in_order_with_their_times(tmp_path):
    path = tmp_path / "new" / "audit.jsonl"
    trail = Trail(path)
    trail.record(event("pushed", 1, at="2026-01-01T00:00:00+00:00"))
    trail.record(event("pushed", 1, at="2026-01-01T00:00:00+00:00"))
    trail.record(event("available", 1))
    entries = list(read_trail(path))
    assert [entry.event.what for entry in entries] == ["pushed", "available"]
    assert entries[0].time.isoformat() == "2026-01-01T00:00:00+00:00"
    assert entries[1].time == entries[1].recorded


def test_several_processes_append_to_one_chain(tmp_path):
    path = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_append, args=(path, 100 * n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(list(read_trail(path))) == 200


@pytest.mark.parametrize("damage", ["changed", "removed", "inserted"])
def test_a_chain_that_was_tampered_with_is_refused(tmp_path, damage):
    path = tmp_path / "audit.jsonl"
    _append(path, 0)
    lines = path.read_text().splitlines()
    if damage == "changed":
        lines[20] = lines[20].replace('"version": 20', '"version": 99')
    elif damage == "removed":
        del lines[20]
    else:
        lines.insert(20, lines[10])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="line 21: the chain of hashes is broken"):
        list(read_trail(path))


def test_a_line_that_a_crash_has_cut_off_does_not_break_the_chain(tmp_path):
    path = tmp_path / "audit.jsonl"
    _append(path, 0)
    with path.open("ab") as stream:
        stream.write(b'{"recorded": "2026-01-')
    Trail(path).record(event("available", 77))
    assert [entry.event.version for entry in read_trail(path)][-2:] == [49, 77]


def _history(path, *arguments):
    command = ["models", "history", "--trail", str(path), *arguments]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"})


def test_the_command_answers_which_version_answered_at_a_moment(tmp_path):
    path = tmp_path / "audit.jsonl"
    trail = Trail(path)
    for what, version, hour in [
        ("answering", 1, 1),
        ("answering", 2, 5),
        ("unreachable", 2, 7),
        ("answering", 3, 8),
    ]:
        trail.record(event(what, version, at=f"2026-01-01T{hour:02}:00:00+00:00"))
    for hour, expected in [(0, "No version"), (3, "version 1"), (6, "version 2"), (9, "version 3")]:
        shown = _history(path, "flights", "--at", f"2026-01-01T{hour:02}:30:00Z")
        assert expected in shown.stdout
    assert "No version" in _history(path, "--at", "2026-01-01T07:30:00Z").stdout
    listed = _history(path).stdout
    assert "2026-01-01 05:00:00" in listed
    assert "unreachable" in listed
    assert "No version" in _history(path, "other", "--at", "2026-01-01T03:00:00Z").stdout


def test_without_a_gateway_the_model_servers_newest_version_counts(tmp_path):
    path = tmp_path / "audit.jsonl"
    trail = Trail(path)
    for what, version, hour in [("available", 1, 1), ("available", 2, 2), ("unloading", 2, 3)]:
        at = f"2026-01-01T{hour:02}:00:00+00:00"
        trail.record(event(what, version, at=at, actor="model server one"))
    for hour, version in [(1, 1), (2, 2), (3, 1)]:
        shown = _history(path, "--at", f"2026-01-01T{hour:02}:30:00Z").stdout
        assert f"version {version} answered" in shown


def test_a_server_that_was_killed_holds_nothing_when_it_is_back(tmp_path):
    path = tmp_path / "audit.jsonl"
    trail, actor, stable = Trail(path), "model server one", {"label": "stable", "by": "a reload"}
    for hour, (what, model, version, detail) in enumerate(
        [
            ("server started", "", 0, {}),
            ("available", "flights", 1, {}),
            ("available", "flights", 2, {}),
            ("labelled", "flights", 1, stable),
            ("server started", "", 0, {}),
            ("available", "flights", 1, {}),
        ]
    ):
        at = f"2026-01-01T{hour:02}:00:00+00:00"
        trail.record(Event(what, model, version, actor, at, detail))
    before = _history(path, "flights", "--at", "2026-01-01T03:30:00Z").stdout
    assert "flights version 2 answered" in before
    assert "flights version 1 (label stable) answered" in before
    assert "No version" in _history(path, "flights", "--at", "2026-01-01T04:30:00Z").stdout
    after = _history(path, "flights", "--at", "2026-01-01T05:30:00Z").stdout
    assert "version 1 answered" in after
    assert "stable" not in after
    listed = " ".join(_history(path, "flights").stdout.split())
    assert "labelled stable" in listed
    assert "server started" in listed


def test_a_missing_trail_is_an_error_that_says_where_it_should_be(tmp_path):
    shown = _history(tmp_path / "audit.jsonl")
    assert isinstance(shown.exception, ConfigError)
    assert str(tmp_path / "audit.jsonl") in str(shown.exception)


def test_the_trail_is_json_lines_for_other_tools(tmp_path):
    path = tmp_path / "audit.jsonl"
    Trail(path).record(event("unloading", 3))
    values = json.loads(path.read_text())
    assert (values["what"], values["model"], values["version"]) == ("unloading", "flights", 3)
