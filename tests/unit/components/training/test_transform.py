"""Transform: what preprocessing_fn sees, what is written, and what serving will ask for."""

import numpy as np
import pytest

from headrace.components.shared import examples, tfx_adapter
from headrace.components.shared.errors import ProjectCodeError
from headrace.components.training.transform import materialize, transform


@pytest.fixture(scope="module")
def output(transformed):
    import tensorflow_transform as tft

    return tft.TFTransformOutput(str(transformed / "graph"))


def test_serving_asks_for_the_used_columns_only(output):
    # id, group and afterwards are hidden; unused and at are not read by preprocessing_fn.
    assert set(output.raw_feature_spec()) == {"number", "whole", "text", "y"}


def test_what_learning_reads_is_transformed_row_by_row(transformed, example_artifact):
    for split in materialize.SPLITS:
        raw = examples.read(examples.shards(example_artifact, split))
        arrays = materialize.read_arrays(transformed / "examples", split)
        assert {len(values) for values in arrays.values()} == {raw.num_rows}
        assert arrays["y"].tolist() == raw["y"].to_pylist()
        gone = [value is None for value in raw["number"].to_pylist()]
        assert (arrays["missing"] == 1).tolist() == gone
        whole = [-1 if value is None else value for value in raw["whole"].to_pylist()]
        assert arrays["numbers"][:, 1].tolist() == whole


def test_only_the_training_split_is_analysed(transformed, example_artifact):
    raw = examples.read(examples.shards(example_artifact, "train"))
    known = np.array([v for v in raw["number"].to_pylist() if v is not None], np.float32)
    arrays = materialize.read_arrays(transformed / "examples", "train")
    expected = (known - known.mean()) / known.std()
    found = arrays["numbers"][:, 0][arrays["missing"] == 0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_materialised_values_equal_tfx_own_materialisation(
    transformed, example_artifact, tmp_path, preprocessing, schema_artifact
):
    import tensorflow_data_validation as tfdv

    from headrace.components.shared import project_code, statistics

    schema = statistics.read_schema(schema_artifact)
    for feature in list(schema.feature):
        if feature.name in {"id", "group", "afterwards"}:
            schema.feature.remove(feature)
    visible = tmp_path / "schema"
    visible.mkdir()
    tfdv.write_schema_text(schema, str(visible / statistics.SCHEMA_FILE))
    with project_code.importable(preprocessing):
        tfx_adapter.execute(
            "tfx.components.transform.executor.Executor",
            inputs={
                "examples": tfx_examples(example_artifact),
                "schema": tfx_adapter.Artifact("Schema", visible),
            },
            outputs={
                "transform_graph": tfx_adapter.Artifact("TransformGraph", tmp_path / "graph"),
                "transformed_examples": tfx_examples(tmp_path / "theirs"),
            },
            properties={
                "preprocessing_fn": "preprocessing.preprocessing_fn",
                "splits_config": {"analyze": ["train"], "transform": ["eval"]},
                "disable_statistics": 1,
                "force_tf_compat_v1": 0,
            },
        )
    ours = materialize.read_arrays(transformed / "examples", "eval")
    theirs = materialize.read_arrays(tmp_path / "theirs", "eval")
    assert ours.keys() == theirs.keys()
    order, their_order = sorted_rows(ours), sorted_rows(theirs)  # Beam shuffles rows
    for name in ours:
        np.testing.assert_allclose(ours[name][order], theirs[name][their_order], atol=1e-6)


def tfx_examples(folder):
    properties = {"payload_format": "FORMAT_TF_EXAMPLE", "file_format": "tfrecords_gzip"}
    return tfx_adapter.Artifact("Examples", folder, examples.SPLITS, properties)


def sorted_rows(arrays):
    columns = [arrays["numbers"][:, 0], arrays["numbers"][:, 1], arrays["text_id"], arrays["y"]]
    return np.lexsort([np.round(column, 4) for column in columns])


def run(code, example_artifact, schema_artifact, tmp_path):
    return transform.run(
        source=example_artifact,
        schema=schema_artifact,
        code={"preprocessing.py": code},
        features={},
        beam_args=[],
        graph=tmp_path / "graph",
        target=tmp_path / "examples",
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "def preprocessing_fn(inputs):\n    return {'x': inputs['numbr']}\n",
            "preprocessing.py:2 in preprocessing_fn raised KeyError",
        ),
        ("def preprocess(inputs):\n    return inputs\n", "no function `preprocessing_fn`"),
        ("def preprocessing_fn(inputs):\n    retrun {}\n", "preprocessing.py:2 raised SyntaxError"),
        ("def preprocessing_fn(inputs):\n    return None\n", "preprocessing.py"),
    ],
)
def test_code_that_fails_is_blamed_and_leaves_nothing(
    example_artifact, schema_artifact, tmp_path, code, expected
):
    with pytest.raises(ProjectCodeError) as caught:
        run(code, example_artifact, schema_artifact, tmp_path)
    assert expected in caught.value.message
    assert not (tmp_path / "examples").exists()


def test_a_key_error_lists_the_columns_that_there_are(example_artifact, schema_artifact, tmp_path):
    code = "def preprocessing_fn(inputs):\n    return {'x': inputs['numbr']}\n"
    with pytest.raises(ProjectCodeError) as caught:
        run(code, example_artifact, schema_artifact, tmp_path)
    assert "It receives the columns" in caught.value.fix
    assert "number" in caught.value.fix
