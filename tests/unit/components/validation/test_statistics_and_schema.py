"""Statistics equal TFDV's own, with missing values counted right; schemas inferred or curated."""

import pytest

from headrace.components.shared import examples, statistics
from headrace.components.shared.errors import ConfigError
from headrace.components.validation.schema_gen import schema as schema_gen


def features(found):
    return {feature.path.step[0]: feature for feature in found.datasets[0].features}


def common(feature):
    stats = feature.num_stats if feature.HasField("num_stats") else feature.string_stats
    return stats.common_stats


@pytest.fixture(scope="module")
def train_statistics(statistics_artifact):
    return statistics.read_statistics(statistics_artifact / "Split-train")


def test_missing_values_are_counted(train_statistics, example_artifact):
    table = examples.read(examples.shards(example_artifact, "train"))
    assert train_statistics.datasets[0].num_examples == table.num_rows
    found = features(train_statistics)
    for name in ("number", "whole", "text"):
        assert common(found[name]).num_missing == table[name].null_count > 0
    assert common(found["y"]).num_missing == 0
    zeros = sum(value == 0 for value in table["number"].to_pylist())
    assert found["number"].num_stats.num_zeros == zeros > 0


def test_statistics_equal_what_tfdv_computes_from_the_records(
    train_statistics, example_artifact, tmp_path
):
    import tensorflow_data_validation as tfdv
    from apache_beam.options.pipeline_options import PipelineOptions

    theirs = tfdv.generate_statistics_from_tfrecord(
        str(example_artifact / "Split-train" / "*.gz"),
        output_path=str(tmp_path / "stats.tfrecord"),
        pipeline_options=PipelineOptions(["--runner=FnApiRunner"]),
    )
    expected, found = features(theirs), features(train_statistics)
    assert found.keys() == expected.keys()
    for name, feature in expected.items():
        assert found[name].type == feature.type, name
        assert common(found[name]).num_non_missing == common(feature).num_non_missing, name
        assert common(found[name]).num_missing == common(feature).num_missing, name
        if feature.HasField("num_stats"):
            for key in ("mean", "std_dev", "min", "max", "median", "num_zeros"):
                ours = getattr(found[name].num_stats, key)
                assert ours == pytest.approx(getattr(feature.num_stats, key), rel=1e-6), name
        else:
            assert found[name].string_stats.unique == feature.string_stats.unique
            assert top(found[name]) == top(feature)


def top(feature):
    return {value.value: value.frequency for value in feature.string_stats.top_values}


def test_the_report_shows_every_feature_and_split(statistics_artifact):
    page = (statistics_artifact.parent / "statistics.html").read_text()
    assert all(f"<b>{name}</b>" in page for name in ("number", "whole", "text", "group"))
    assert all(f"<td>{split}</td>" in page for split in ("train", "eval", "test"))


def test_an_inferred_schema_has_types_and_domains_and_knows_what_may_be_missing(schema_artifact):
    from tensorflow_metadata.proto.v0 import schema_pb2

    found = {f.name: f for f in statistics.read_schema(schema_artifact).feature}
    kinds = {name: schema_pb2.FeatureType.Name(f.type) for name, f in found.items()}
    assert kinds["number"] == "FLOAT"
    assert kinds["whole"] == kinds["at"] == kinds["y"] == "INT"
    assert kinds["text"] == "BYTES"
    assert found["y"].presence.min_fraction == 1.0
    assert found["number"].presence.min_fraction < 1.0


def test_a_curated_schema_is_taken_as_it_is(statistics_artifact, tmp_path):
    text = 'feature { name: "number" type: FLOAT presence { min_fraction: 0.25 } }'
    found = schema_gen.run(statistics=statistics_artifact, curated=text, target=tmp_path / "s")
    assert [f.name for f in found.feature] == ["number"]
    assert "| number | FLOAT | 25% |" in schema_gen.describe(found)


def test_text_that_is_no_schema_is_refused_with_its_line(statistics_artifact, tmp_path):
    with pytest.raises(ConfigError) as caught:
        schema_gen.run(
            statistics=statistics_artifact,
            curated='feature { name: "a"\n  typo: FLOAT }',
            target=tmp_path / "s",
        )
    assert "curated_schema is not a TFMD schema" in caught.value.message
    assert "2:" in caught.value.message and "typo" in caught.value.message
    assert "schema.pbtxt" in caught.value.fix
