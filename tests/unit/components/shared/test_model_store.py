"""Pushed models: versions appear whole, stay, and go when told."""

import json
import shutil

import fsspec
import pytest

from headrace.components.shared import model_store
from headrace.components.shared.errors import ConfigError, StorageError
from headrace.components.shared.model_store import ModelStore


@pytest.fixture
def saved_model(tmp_path):
    folder = tmp_path / "saved_model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


@pytest.fixture
def extras(tmp_path):
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.pbtxt").write_text("feature {}")
    (tmp_path / "note.txt").write_text("a note")
    return {"schema": tmp_path / "schema", "note.txt": tmp_path / "note.txt"}


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    if request.param == "folder":
        yield ModelStore(str(tmp_path / "models"), "tiny")
        return
    yield ModelStore(f"memory://{tmp_path.name}", "tiny")
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def test_versions_count_up_and_are_listed_newest_first(store, saved_model):
    assert store.versions() == []
    assert [store.push(saved_model, {}, {}) for _ in range(3)] == [1, 2, 3]
    assert store.versions() == [3, 2, 1]


def test_a_version_holds_model_extras_and_manifest(store, saved_model, extras, tmp_path):
    store.push(saved_model, extras, {"data_version": "v1"})
    store.fetch(1, tmp_path / "back")
    back = tmp_path / "back"
    assert (back / "saved_model.pb").read_bytes() == b"graph"
    assert (back / "variables/variables.index").read_bytes() == b"index"
    assert (back / "assets.extra/headrace/schema/schema.pbtxt").read_text() == "feature {}"
    assert (back / "assets.extra/headrace/note.txt").read_text() == "a note"
    manifest = json.loads((back / model_store.MANIFEST).read_text())
    assert (manifest["version"], manifest["data_version"]) == (1, "v1")
    assert manifest == store.manifest(1)


def test_one_part_of_a_version_can_be_fetched(store, saved_model, extras, tmp_path):
    store.push(saved_model, extras, {})
    store.fetch(1, tmp_path / "part", model_store.EXTRA)
    found = {path.name for path in (tmp_path / "part").iterdir()}
    assert found == {"schema", "note.txt", "manifest.json"}


def test_pruning_keeps_the_newest(store, saved_model):
    for _ in range(4):
        store.push(saved_model, {}, {})
    assert store.prune(2) == [2, 1]
    assert store.versions() == [4, 3]
    assert store.prune(2) == []


def test_a_version_number_is_never_used_again_while_a_newer_one_is_there(store, saved_model):
    for _ in range(3):
        store.push(saved_model, {}, {})
    store.prune(1)
    assert store.push(saved_model, {}, {}) == 4


def test_a_version_that_something_else_put_there_has_no_manifest(tmp_path):
    (tmp_path / "tiny" / "7").mkdir(parents=True)
    store = ModelStore(str(tmp_path), "tiny")
    assert (store.versions(), store.manifest(7)) == ([7], {})


def test_other_names_in_the_folder_are_no_versions(tmp_path):
    for name in ("latest", ".push-1", "1.5", "-1"):
        (tmp_path / "tiny" / name).mkdir(parents=True)
    assert ModelStore(str(tmp_path), "tiny").versions() == []


def test_a_copy_that_fails_half_way_leaves_nothing_and_the_last_version_as_it_was(
    tmp_path, saved_model, monkeypatch
):
    store = ModelStore(str(tmp_path / "models"), "tiny")
    store.push(saved_model, {}, {})
    copytree = shutil.copytree

    def full(source, target, *options, **more):
        copytree(source, target, *options, **more)
        if ".push-" in str(target):
            raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])
        return target

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(StorageError, match="the disk is full"):
        store.push(saved_model, {}, {})
    assert [path.name for path in (tmp_path / "models/tiny").iterdir()] == ["1"]


def test_on_an_object_store_the_graph_comes_last_so_that_half_a_version_does_not_load(
    saved_model, monkeypatch
):
    store = ModelStore("memory://half", "tiny")
    put = type(store._fs).put_file

    def fail_on_graph(self, source, target, **options):
        if target.endswith("saved_model.pb"):
            raise OSError(28, "No space left on device")
        return put(self, source, target, **options)

    monkeypatch.setattr(type(store._fs), "put_file", fail_on_graph)
    with pytest.raises(StorageError, match="the disk is full"):
        store.push(saved_model, {}, {})
    assert store._fs.find("/half/tiny/1") == []
    assert store.versions() == []


def test_two_pushes_at_once_do_not_overwrite_each_other(tmp_path, saved_model, monkeypatch):
    store = ModelStore(str(tmp_path), "tiny")
    monkeypatch.setattr(store, "versions", lambda: [])
    (tmp_path / "tiny" / "1").mkdir(parents=True)
    (tmp_path / "tiny" / "1" / "theirs").write_text("x")
    with pytest.raises(StorageError, match="appeared while this push was under way"):
        store.push(saved_model, {}, {})
    assert (tmp_path / "tiny" / "1" / "theirs").read_text() == "x"
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["1"]


def test_a_file_where_the_folder_should_be_is_told(tmp_path, saved_model):
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(StorageError, match="models/tiny cannot be written"):
        ModelStore(str(tmp_path / "models"), "tiny").push(saved_model, {}, {})


def test_a_protocol_without_a_driver_is_told():
    with pytest.raises(ConfigError, match=r"'nosuch://bucket' cannot be opened"):
        ModelStore("nosuch://bucket", "tiny")


def test_a_damaged_manifest_is_told_with_its_place(tmp_path, saved_model):
    store = ModelStore(str(tmp_path), "tiny")
    store.push(saved_model, {}, {})
    (tmp_path / "tiny/1" / model_store.MANIFEST).write_text("{")
    with pytest.raises(StorageError, match=r"1/assets\.extra/headrace/manifest\.json"):
        store.manifest(1)
