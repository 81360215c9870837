"""Publishing the tables of features, and what is refused before anything is brought online."""

from pathlib import Path

import pytest

from headrace.components.features.materialize import materialization
from headrace.components.shared.errors import ConfigError, StorageError
from headrace.pipelines.materialization.arguments import arguments

ROOT = Path(__file__).resolve().parents[4]


def table(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part-0.parquet").write_text(text)


def test_a_table_is_replaced_and_what_a_stream_added_stays(tmp_path):
    table(tmp_path / "built" / "weather", "new")
    table(tmp_path / "data" / "weather", "old")
    (tmp_path / "data" / "weather" / "stream.parquet").write_text("streamed")
    (tmp_path / "built" / "labels.parquet").write_text("labels are no features")
    materialization.publish(tmp_path / "built", str(tmp_path / "data"))
    found = {
        str(p.relative_to(tmp_path / "data")): p.read_text() for p in tmp_path.rglob("data/*/*")
    }
    assert found == {"weather/part-0.parquet": "new", "weather/stream.parquet": "streamed"}


def test_a_destination_that_cannot_be_written_is_named(tmp_path):
    table(tmp_path / "built" / "weather", "new")
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StorageError, match=r"data cannot be written: a file is where a folder"):
        materialization.publish(tmp_path / "built", str(tmp_path / "data"))


def test_a_project_without_a_feature_store_cannot_be_materialised(tmp_path):
    with pytest.raises(ConfigError, match="taxi has no feature store") as caught:
        arguments(ROOT / "examples" / "taxi", home=tmp_path)
    assert "feature_store" in caught.value.fix
