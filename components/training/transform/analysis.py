"""tf.Transform's analysis of the training split, writing TFX's TransformGraph artifact.

TFX's executor moves the examples through Beam one by one. Here whole Arrow batches enter the
analysis, which gives the same graph in half the time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.components.shared import examples, tfx_adapter

SPLIT = "train"


def analyse(
    source: Path,
    schema: Any,
    function: Callable[..., Any],
    graph: Path,
    *,
    beam_args: list[str],
) -> None:
    """Runs ``function`` as a ``preprocessing_fn`` over the training split.

    Args:
        source: Examples artifact.
        schema: ``Schema`` of the columns that ``function`` receives.
        function: The project's ``preprocessing_fn``.
        graph: TransformGraph artifact to write.
        beam_args: Beam options; empty runs in this process.
    """
    import apache_beam as beam
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata
    from tfx_bsl.tfxio import tf_example_record

    tensors = tf_example_record.TFExampleBeamRecord(
        physical_format="inmem", schema=schema
    ).TensorAdapterConfig()
    options = beam_args or list(tfx_adapter.EMBEDDED_BEAM)
    with (
        tempfile.TemporaryDirectory(prefix="headrace-transform-") as scratch,
        beam.Pipeline(argv=options) as pipeline,
        tft_beam.Context(temp_dir=scratch),
    ):
        batches = (
            pipeline
            | beam.Create(examples.shards(source, SPLIT))
            | beam.FlatMap(_decode, schema.SerializeToString())
        )
        transform = (batches, tensors) | tft_beam.AnalyzeDataset(function)
        _ = transform | tft_beam.WriteTransformFn(str(graph))  # type: ignore[attr-defined]
        raw = str(graph / tft.TFTransformOutput.RAW_METADATA_DIR)
        metadata = dataset_metadata.DatasetMetadata(schema)
        _ = metadata | tft_beam.WriteMetadata(raw, pipeline=pipeline)  # type: ignore[attr-defined]


def _decode(shard: str, schema: bytes) -> Iterator[pa.RecordBatch]:
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    decoder = ExamplesToRecordBatchDecoder(schema)
    for records in examples.serialized([shard]):
        yield decoder.DecodeBatch(records)
