"""The step `transform` with its Beam pipeline on a cluster of processes."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import numpy as np
import psutil
import pytest

from headrace.components.shared.errors import ConfigError, StepError
from headrace.components.training.transform import materialize, transform

HOUSING = Path(__file__).parents[3] / "examples" / "housing"
#: Each process that calls preprocessing_fn leaves its id.
WITNESS = """

    by_project = preprocessing_fn


    def preprocessing_fn(inputs):
        import os

        with open({log!r}, "a") as log:
            log.write(f"{{os.getpid()}}\\n")
        return by_project(inputs)
    """


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Examples and schema of the housing data."""
    import pandas as pd
    import sklearn

    from headrace.components.data.example_gen import example_gen
    from headrace.components.validation.schema_gen import schema
    from headrace.components.validation.statistics_gen import statistics

    folder = tmp_path_factory.mktemp("housing")
    source = Path(sklearn.__file__).parent / "datasets" / "data" / "boston_house_prices.csv"
    pd.read_csv(source, skiprows=1).drop(columns="B").to_parquet(folder / "table")
    example_gen.run(
        table=folder / "table",
        label={"column": "MEDV", "task": "regression"},
        features={},
        split={"by": "hash", "buckets": {"train": 7, "eval": 1, "test": 2}},
        target=folder / "examples",
    )
    page = folder / "statistics.html"
    statistics.run(source=folder / "examples", target=folder / "statistics", page=page)
    schema.run(statistics=folder / "statistics", curated="", target=folder / "schema")
    return folder


def run(artifacts, target, beam_args, witness=""):
    code = (HOUSING / "preprocessing.py").read_text() + textwrap.dedent(witness)
    transform.run(
        source=artifacts / "examples",
        schema=artifacts / "schema",
        code={"preprocessing.py": code},
        features={},
        beam_args=beam_args,
        graph=target / "graph",
        target=target / "examples",
    )


def test_a_cluster_gives_what_this_process_gives(artifacts, tmp_path, cluster):
    log = tmp_path / "pids"
    run(artifacts, tmp_path / "here", [])
    run(artifacts, tmp_path / "there", cluster.options, WITNESS.format(log=str(log)))
    for split in materialize.SPLITS:
        here, there = (
            materialize.read_arrays(tmp_path / place / "examples", split)
            for place in ("here", "there")
        )
        assert here.keys() == there.keys()
        for name, values in here.items():
            np.testing.assert_array_equal(values, there[name])
    workers = cluster.workers()
    # This process traces the function too, to see what it reads.
    assert {int(pid) for pid in log.read_text().split()} - {os.getpid()} == workers != set()
    assert not list((tmp_path / "shared").iterdir())

    cluster.stop()
    assert not any(psutil.pid_exists(pid) for pid in workers)


def test_a_cluster_without_workers_is_named_and_leaves_nothing(artifacts, tmp_path, cluster):
    cluster.pool.kill()
    cluster.pool.wait()
    with pytest.raises(StepError) as caught:
        run(artifacts, tmp_path / "there", cluster.options)
    assert caught.value.message.startswith("Beam's job on PortableRunner failed")
    assert "platform.beam_pipeline_args.transform" in caught.value.fix
    assert not (tmp_path / "there").exists()
    assert not list((tmp_path / "shared").iterdir())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--runner=FlinkRuner"], "Unexpected pipeline runner: FlinkRuner"),
        (["--runner=FlinkRunner"], "lacks --temp_location"),
    ],
)
def test_options_that_cannot_work_are_refused(artifacts, tmp_path, options, expected):
    with pytest.raises(ConfigError) as caught:
        run(artifacts, tmp_path / "there", options)
    assert expected in caught.value.message
    assert not (tmp_path / "there").exists()
