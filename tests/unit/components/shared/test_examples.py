"""Reading and writing tf.Examples, more of them than fit into the batches that are under way."""

import numpy as np
import pyarrow as pa
import pytest

from headrace.components.shared import examples

ROWS = 90_000


@pytest.fixture(scope="module")
def table():
    numbers = np.arange(ROWS)
    return pa.table(
        {
            "number": pa.array(numbers, mask=numbers % 7 == 0),
            "text": pa.array(np.char.mod("%d", numbers), mask=numbers % 5 == 0),
        }
    )


def test_rows_keep_their_order_and_what_is_missing(table, tmp_path):
    examples.write(table, tmp_path / "Split-train")
    found = examples.read(examples.shards(tmp_path, "train"), ["number", "text"])
    assert found.to_pydict() == table.to_pydict()


def test_a_reader_that_stops_early_leaves_nothing_running(table, tmp_path):
    examples.write(table, tmp_path / "Split-train")
    batches = examples.decoded(examples.shards(tmp_path, "train"))
    first = next(batches)
    batches.close()
    assert first.num_rows < ROWS


def test_a_record_that_is_no_example_is_an_error(tmp_path):
    import tensorflow as tf

    path = str(tmp_path / "records.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        writer.write(b"no example")
    with pytest.raises(RuntimeError, match="parse"):
        examples.read([path])
