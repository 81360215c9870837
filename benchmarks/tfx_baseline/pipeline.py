"""The TFX pipeline: the standard components with their defaults, under LocalDagRunner."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tfx import v1 as tfx

from benchmarks.tfx_baseline import module
from benchmarks.tfx_baseline.evaluation import eval_config
from headrace.components.shared.config.data import SPLITS
from headrace.components.shared.config.project import Project, load

#: Named, because Beam would otherwise look for its Prism binary on the network.
BEAM = ["--runner=FnApiRunner"]


def run(folder: Path, tables: Path, target: Path) -> None:
    """Runs the pipeline.

    Args:
        folder: The project.
        tables: Folder with one folder of CSV files per split.
        target: Folder to write everything to; the model is pushed to its folder ``pushed``.
    """
    sys.path.insert(0, str(folder))
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="baseline",
        pipeline_root=str(target / "artifacts"),
        components=_components(load(folder), tables, target / "pushed"),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(target / "metadata.db")
        ),
        enable_cache=False,
        beam_pipeline_args=BEAM,
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)  # type: ignore[no-untyped-call]


def _components(project: Project, tables: Path, pushed: Path) -> list[Any]:
    patterns = [tfx.proto.Input.Split(name=name, pattern=f"{name}/*") for name in SPLITS]
    source = tfx.components.CsvExampleGen(
        input_base=str(tables), input_config=tfx.proto.Input(splits=patterns)
    )
    examples = source.outputs["examples"]
    statistics = tfx.components.StatisticsGen(examples=examples)
    schema = tfx.components.SchemaGen(statistics=statistics.outputs["statistics"])
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    hidden = [*project.features.exclude, *project.features.known_after]
    transform = tfx.components.Transform(
        examples=examples,
        schema=schema.outputs["schema"],
        preprocessing_fn=module.PREPROCESSING_FN,
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=list(SPLITS)),
        custom_config={"hidden": hidden},
    )
    trainer = _trainer(project, tables, transform)
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=trainer.outputs["model"],
        eval_config=eval_config(project),
        example_splits=["test"],
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(pushed))
        ),
    )
    return [source, statistics, schema, validator, transform, trainer, evaluator, pusher]


def _trainer(project: Project, tables: Path, transform: Any) -> Any:
    settings = project.training
    batches = {
        split: module.steps(_rows(tables / split / "rows.csv"), settings.batch_size)
        for split in ("train", "eval")
    }
    return tfx.components.Trainer(
        run_fn=module.RUN_FN,
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(splits=["train"], num_steps=batches["train"]),
        eval_args=tfx.proto.EvalArgs(splits=["eval"], num_steps=batches["eval"]),
        custom_config={
            "label": project.label.column,
            "task": project.label.task,
            "epochs": settings.epochs,
            "batch_size": settings.batch_size,
            "patience": settings.patience,
            "seed": settings.seed,
        },
    )


def _rows(table: Path) -> int:
    with table.open("rb") as lines:
        return sum(1 for _ in lines) - 1
