"""A project as arguments that mean something on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from headrace.components.shared.config.data import Source
from headrace.components.shared.config.project import Project, load
from headrace.components.shared.errors import ConfigError
from headrace.pipelines.cluster import package
from headrace.pipelines.cluster.package import Package
from headrace.pipelines.compile import PipelineName

_PACKAGE = "package://"


@dataclass(frozen=True, kw_only=True)
class Work:
    """A project that is to run on a cluster.

    Attributes:
        folder: The project.
        pipeline: Which compiled pipeline.
        compiled: Folder of compiled pipelines; compiled for the project when left out.
        overrides: Keys to set instead of project.yaml's, as ``section.key=value``.
        data_in_image: The step image holds the packages that ``package://`` sources name.
        feature_root: Where the Feast repository's files are on the cluster, for materialization and
            batch inference.
        feature_config: Configuration file of the Feast repository, for materialization.
        rows: What batch inference reads: a Parquet file, folder or glob.
        predictions: The folder above what it writes.
    """

    folder: Path
    pipeline: PipelineName = "training"
    compiled: Path | None = None
    overrides: Sequence[str] | None = None
    data_in_image: bool = False
    feature_root: str | None = None
    feature_config: str | None = None
    rows: str | None = None
    predictions: str | None = None

    @cached_property
    def package(self) -> Package:
        """The compiled pipeline.

        Raises:
            ConfigError: the project or the compiled pipeline is not usable.
        """
        if self.compiled:
            return package.read(self.compiled / f"{self.pipeline}.yaml")
        platform = load(self.folder, self.overrides or ()).platform
        return package.of_project(self.pipeline, platform)


def arguments(work: Work) -> dict[str, Any]:
    """Values for every parameter of the pipeline.

    Raises:
        ConfigError: the project is not valid or names places that only this machine has, or the
            compiled pipeline has other parameters.
        SourceError: a source does not exist.
    """
    makers = {
        "training": _training,
        "materialization": _materialization,
        "batch_inference": _batch_inference,
    }
    values = makers[work.pipeline](work, load(work.folder, work.overrides or ()))
    where = str(work.compiled / f"{work.pipeline}.yaml") if work.compiled else work.pipeline
    work.package.require_parameters(values, where)
    return values


def _training(work: Work, project: Project) -> dict[str, Any]:
    from headrace.pipelines.training import arguments as training

    _require_sources(work, project)
    _require_shared(project.serving.destination)
    # The destination is a URI, so that no home is needed.
    return training.arguments(work.folder, home=Path(), overrides=work.overrides or ())


def _materialization(work: Work, project: Project) -> dict[str, Any]:
    from headrace.pipelines.materialization import arguments as materialization

    _require_sources(work, project)
    if work.overrides:
        raise ConfigError(
            "--set does not change materialization.", fix="Change project.yaml instead."
        )
    root = _place(work.feature_root, "feature_root", "the Feast repository's tables and registry")
    values = materialization.arguments(work.folder, home=Path(), config=work.feature_config)
    return {**values, "root": root}


def _batch_inference(work: Work, project: Project) -> dict[str, Any]:
    from headrace.pipelines.batch_inference import arguments as batch_inference

    _require_shared(project.serving.destination)
    values = batch_inference.arguments(
        work.folder,
        home=Path(),
        rows=_place(work.rows, "rows", "the table to predict"),
        destination=_place(work.predictions, "predictions", "the predictions"),
        overrides=work.overrides or (),
    )
    if values["root"]:
        values["root"] = _place(work.feature_root, "feature_root", "the Feast repository's tables")
    return values


def _place(given: str | None, option: str, what: str) -> str:
    """A URI that steps on any machine reach.

    Raises:
        ConfigError: there is none, or a folder of this machine.
    """
    if given and _is_shared(given):
        return given
    raise ConfigError(
        f"On a cluster, steps must reach {what}; got {given or 'no place'}.",
        fix=f"Give it with --{option.replace('_', '-')}, such as s3://bucket/folder; for a mounted "
        "volume file:///mnt/folder.",
    )


def _require_sources(work: Work, project: Project) -> None:
    for name, source in project.sources.items():
        _require_reachable(name, source, data_in_image=work.data_in_image)


def _require_reachable(name: str, source: Source, *, data_in_image: bool) -> None:
    """Refuses a source that a step on another machine would not find."""
    path = source.path
    if path is None or PurePosixPath(path).is_absolute():
        return
    if path.startswith(_PACKAGE):
        if data_in_image:
            return
        raise ConfigError(
            f"Source {name!r} is {path}: data inside a Python package, which the steps' image "
            "need not hold.",
            fix=f"Use format sql or delta with a URI, or a path on a volume that steps mount. If "
            f"{path.removeprefix(_PACKAGE).partition('/')[0]!r} is installed in your image, say so "
            "with --data-in-image.",
        )
    if "://" in path:
        return
    raise ConfigError(
        f"Source {name!r} has the path {path}, relative to the project on this machine. "
        "Steps on a cluster do not have it.",
        fix="Use format sql, or format delta with a URI such as s3://bucket/table, or the absolute "
        "path of a volume that steps mount under the same path as this machine.",
    )


def _require_shared(destination: str) -> None:
    """Refuses to push models into a folder that ends with the step."""
    if not _is_shared(destination):
        raise ConfigError(
            f"serving.destination is {destination}, a folder of this machine. On a cluster the "
            "model would be lost with the step that pushed it.",
            fix="Set a URI that servers read too, in project.yaml or with "
            "--set serving.destination=s3://bucket/models; for a mounted volume "
            "file:///mnt/models.",
        )


def _is_shared(place: str) -> bool:
    return "://" in place
