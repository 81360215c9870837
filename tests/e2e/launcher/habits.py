"""A pipeline of bad habits, most of which do no harm where steps share a file system."""

# No `from __future__ import annotations`: KFP reads the annotations themselves.
from collections.abc import Callable
from typing import Any

from kfp import dsl

component: Callable[..., Any] = dsl.component(base_image="none", install_kfp_package=False)


@component
def writes(table: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    Path(table.path).write_text("rows")
    Path("/tmp/leftover").write_text("rows")


@component
def reads_what_came_down(table: dsl.Input[dsl.Dataset]) -> str:
    with open(table.path) as file:
        return file.read()


@component
def reads_a_leftover(table: dsl.Input[dsl.Dataset]):
    open("/tmp/leftover").close()


@component
def opens_the_bucket_with_tensorflow(table: dsl.Input[dsl.Dataset]):
    import tensorflow as tf

    tf.io.gfile.GFile(table.uri).read()


@component
def publishes_what_json_cannot_carry(table: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Metrics]):
    out.log_metric("auc", float("nan"))


@dsl.pipeline
def habits():
    table = writes().output
    reads_what_came_down(table=table)
    reads_a_leftover(table=table)
    opens_the_bucket_with_tensorflow(table=table)
    publishes_what_json_cannot_carry(table=table)
