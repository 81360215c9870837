"""Compiles every pipeline to ``pipelines/compiled/``, the one artefact that runs everywhere."""

from __future__ import annotations

from pathlib import Path

COMPILED = Path(__file__).parent / "compiled"


def compile_all(target: Path = COMPILED) -> list[Path]:
    """Writes ``<name>.yaml`` for every pipeline and returns the paths."""
    from kfp import compiler

    from headrace.pipelines.materialization.pipeline import materialization_pipeline
    from headrace.pipelines.training.pipeline import training_pipeline

    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for pipeline in (training_pipeline, materialization_pipeline):
        path = target / f"{pipeline.name}.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in compile_all():
        print(written)
