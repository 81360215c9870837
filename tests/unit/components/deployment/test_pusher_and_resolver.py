"""Pushing, and finding what to compare with."""

import pytest

from headrace.components.deployment.pusher import pusher
from headrace.components.deployment.resolver import resolver
from headrace.components.shared.model_store import ModelStore


@pytest.fixture
def place(tmp_path):
    class Place:
        destination = str(tmp_path / "models")
        store = ModelStore(destination, "tiny")

        def model(self, name):
            folder = tmp_path / f"model-{name}"
            folder.mkdir(exist_ok=True)
            (folder / "saved_model.pb").write_text(name)
            return folder

        def statistics(self, name):
            folder = tmp_path / f"statistics-{name}"
            (folder / "Split-train").mkdir(parents=True, exist_ok=True)
            (folder / "Split-train" / "FeatureStats.pb").write_text(name)
            return folder

        def push(self, name, statistics="s", keep=5, warmup=b"", edge=None):
            schema = tmp_path / "schema"
            schema.mkdir(exist_ok=True)
            (schema / "schema.pbtxt").write_text("")
            (tmp_path / "warmup").write_bytes(warmup)
            return pusher.run(
                model=self.model(name),
                schema=schema,
                statistics=self.statistics(statistics),
                warmup=tmp_path / "warmup",
                edge=edge or tmp_path / "no-edge",
                name="tiny",
                record={"data_version": "v"},
                destination=self.destination,
                serving={"keep_versions": keep},
            )

        def resolve(self, candidate, kind):
            target = tmp_path / "resolved"
            version = resolver.run(
                candidate=candidate,
                kind=kind,
                destination=self.destination,
                model="tiny",
                target=target,
            )
            return version, target

    return Place()


def test_a_push_tells_version_and_place_and_records_its_origin(place):
    result = place.push("a")
    assert (result.version, result.verdict) == (1, "pushed as version 1")
    assert result.path.endswith("models/tiny/1")
    manifest = place.store.manifest(1)
    assert manifest["data_version"] == "v"
    assert set(manifest["digests"]) == {"model", "statistics"}


def test_the_model_that_is_live_is_not_pushed_again(place):
    place.push("a")
    assert place.push("a").verdict == "already live as version 1"
    assert place.store.versions() == [1]


def test_requests_for_warming_up_are_where_tensorflow_serving_looks(place, tmp_path):
    place.push("a", warmup=b"requests")
    file = tmp_path / "models/tiny/1/assets.extra/tf_serving_warmup_requests"
    assert file.read_bytes() == b"requests"


def test_without_requests_there_is_no_file_for_them(place, tmp_path):
    place.push("a")
    extras = tmp_path / "models/tiny/1/assets.extra"
    assert [path.name for path in extras.iterdir()] == ["headrace"]


def test_an_older_model_may_come_back_as_a_new_version(place):
    for name in "aba":
        result = place.push(name)
    assert result.version == 3


def test_old_versions_are_removed_and_named(place):
    for name in "abc":
        result = place.push(name, keep=2)
    assert result.verdict == "pushed as version 3, removed 1"
    assert place.store.versions() == [3, 2]


def test_a_second_pusher_in_a_row_sees_a_version_without_manifest_as_another_model(place, tmp_path):
    (tmp_path / "models/tiny/4").mkdir(parents=True)
    assert place.push("a").version == 5


def test_nothing_is_resolved_when_nothing_was_pushed(place):
    version, target = place.resolve(place.model("a"), "model")
    assert version == 0
    assert list(target.iterdir()) == []


def test_another_candidate_resolves_the_newest_version(place):
    place.push("a")
    place.push("b")
    version, target = place.resolve(place.model("c"), "model")
    assert version == 2
    assert (target / "saved_model.pb").read_text() == "b"


def test_a_candidate_that_is_live_resolves_the_version_before(place):
    place.push("a")
    place.push("b")
    version, target = place.resolve(place.model("b"), "model")
    assert version == 1
    assert (target / "saved_model.pb").read_text() == "a"


def test_the_only_version_is_not_compared_with_itself(place):
    place.push("a")
    assert place.resolve(place.model("a"), "model")[0] == 0


def test_statistics_are_found_by_their_own_digest(place):
    place.push("a", statistics="s1")
    place.push("b", statistics="s2")
    version, target = place.resolve(place.statistics("s2"), "statistics")
    assert version == 1
    assert (target / "statistics/FeatureStats.pb").read_text() == "s1"
    assert not (target / "saved_model.pb").exists()
