"""What the server records of its models, and what the trail then answers."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2

from headrace.components.shared.model_store import ModelStore
from headrace.serving.audit.history import answering_at, of_model
from headrace.serving.audit.trail import Entry, read_trail
from tests.support.waiting import eventually

from .conftest import model_config, model_entry

ALL = "model_version_policy { all {} }"


def labels(**versions: int) -> str:
    return " ".join(f'version_labels {{ key: "{k}" value: {v} }}' for k, v in versions.items())


def reload(running: Any, *entries: str) -> None:
    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(model_config(*entries), request.config)
    running.clients.management.HandleReloadConfigRequest(request)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "trail.jsonl"


@pytest.fixture
def start(serve: Any, tmp_path: Path, exports: Path, trail: Path) -> Any:
    """Serves two pushed versions of the model ``m``."""
    store = ModelStore(str(tmp_path), "m")
    for export in ("half", "half_again"):
        store.push(exports / export, {}, {})
    config = tmp_path / "models.config"
    config.write_text(model_config(model_entry("m", tmp_path / "m", ALL)))
    return lambda: serve(f"--model_config_file={config}", f"--audit_file={trail}")


def happened(path: Path) -> list[tuple[str, int]]:
    return [(entry.event.what, entry.event.version) for entry in read_trail(path)]


def answering(entries: list[Entry], moment: dt.datetime) -> set[tuple[int, str]]:
    return {(found.version, found.label) for found in answering_at(entries, moment)}


def test_the_trail_says_which_version_answered_under_which_label(
    start: Any, tmp_path: Path, trail: Path
) -> None:
    running = start()
    eventually(lambda: [one.state for one in running.models.status("m")] == [30, 30])
    base = tmp_path / "m"
    reload(running, model_entry("m", base, f"{ALL} {labels(stable=1, canary=2)}"))
    reload(running, model_entry("m", base, f"{ALL} {labels(stable=2)}"))
    shutil.rmtree(base / "2")
    eventually(lambda: running.models.status("m")[0].state == 50)
    running.server.stop(0)

    entries = of_model(read_trail(trail), "m")
    events = {(e.event.what, e.event.version, e.event.detail.get("label", "")): e for e in entries}
    assert events["pushed", 1, ""].event.actor.startswith("pusher ")
    for version in (1, 2):
        assert {(what, version, "") for what in ("loading", "available")} <= events.keys()
    first, moved = events["labelled", 1, "stable"], events["labelled", 2, "stable"]
    assert first.event.detail["by"].startswith("HandleReloadConfigRequest of ipv")
    config = f"--model_config_file={tmp_path / 'models.config'}"
    assert next(e for e in entries if e.event.what == "configured").event.detail["by"] == config
    unlabelled, gone = events["unlabelled", 2, "canary"], events["unloading", 2, ""]

    tick = dt.timedelta(milliseconds=1)
    assert answering(entries, events["available", 2, ""].time) >= {(2, "")}
    assert answering(entries, first.time) >= {(2, ""), (1, "stable")}
    both = max(moved.time, unlabelled.time)
    assert answering(entries, both) == {(2, ""), (2, "stable")}
    assert answering(entries, gone.time) >= {(1, "")}
    assert entries[-1].event.what == "server stopped"
    assert answering(entries, entries[-1].time + tick) == set()


def test_a_version_that_does_not_load_leaves_its_reason(
    serve: Any, base_path: Any, trail: Path
) -> None:
    base = base_path("m", {1: "half", 2: "broken"})
    options = ["--max_num_load_retries=0", f"--audit_file={trail}"]
    with pytest.raises(Exception, match="did not become available"):
        serve(f"--model_base_path={base}", *options)
    eventually(lambda: ("end", 2) in happened(trail))
    (end,) = [entry for entry in read_trail(trail) if entry.event.what == "end"]
    assert "Could not find SavedModel" in end.event.detail["error"]


def test_a_trail_that_cannot_be_written_keeps_no_model_from_serving(
    start: Any, trail: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trail.parent.write_text("a file is in the way")
    running = start()
    assert running.models.ready()
    eventually(lambda: "is not in the audit trail" in caplog.text)
