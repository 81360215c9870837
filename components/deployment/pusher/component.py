"""Interface of ``pusher``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def pusher(
    model: dsl.Input[dsl.Model],
    schema: dsl.Input[dsl.Artifact],
    statistics: dsl.Input[dsl.Artifact],
    warmup: dsl.Input[dsl.Artifact],
    bundle: dsl.Input[dsl.Artifact],
    name: str,
    data_version: str,
    asked: dict,
    destination: str,
    serving: dict,
    pushed_model: dsl.Output[dsl.Model],
    summary: dsl.Output[dsl.Markdown],
) -> NamedTuple("Outputs", [("version", int), ("verdict", str)]):
    """Publishes the SavedModel as the next version, where TensorFlow Serving looks.

    The version appears whole or not at all. A model that is live already is not pushed again. What
    devices get of it is signed with the key that `HEADRACE_EDGE_SIGNING_KEY` names, on one machine
    with that of the run home, and appears beside it as `edge/<version>`.

    Args:
        model: SavedModel, blessed by every gate.
        schema: TFX Schema, recorded with the version.
        statistics: TFX ExampleStatistics, recorded with the version for drift checks.
        warmup: From `infra_validator`: requests that a server replays before the version serves;
            may be empty.
        bundle: From `edge_export`: what devices get, to be signed; may be empty.
        name: Model name.
        data_version: Recorded in the manifest.
        asked: From `historical_features`, recorded in the manifest: which feature service, and
            what a caller must bring.
        destination: Folder or URI of pushed models.
        serving: The section `serving` of project.yaml.
        pushed_model: JSON with the number of the pushed version and its place.
        summary: What is live now, and where.

    Returns:
        version: The version that is live.
        verdict: One line for people.
    """
    import json
    from pathlib import Path

    from headrace.components.deployment.pusher import pusher as work
    from headrace.components.shared import files

    result = work.run(
        model=Path(model.path),
        schema=Path(schema.path),
        statistics=Path(statistics.path),
        warmup=Path(warmup.path),
        edge=Path(bundle.path),
        name=name,
        record={
            "data_version": data_version,
            "features": json.loads(model.metadata.get("features", "[]")),
            "feature_store": asked,
        },
        destination=destination,
        serving=serving,
    )
    files.write_json(Path(pushed_model.path), {"version": result.version, "path": result.path})
    pushed_model.metadata.update(version=result.version, external_path=result.path)
    Path(summary.path).write_text(work.summary(name, result))
    return (result.version, result.verdict)
