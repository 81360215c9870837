"""The section ``platform``: images, and what each step asks of the machine that it runs on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from headrace.components.shared.config.section import Section
from headrace.components.shared.config.step import (
    Cpu,
    Memory,
    Name,
    Retries,
    Step,
    written_as,
)
from headrace.components.shared.quantities import amount
from headrace.components.shared.text import nearest

T = TypeVar("T")
_HOUR = 3600

_SMALL = Step(
    cpu=Cpu(request="100m", limit="1"),
    memory=Memory(request="1G", limit="4G"),
    timeout=_HOUR,
)
_DATA = Step(
    cpu=Cpu(request="500m", limit="4"),
    memory=Memory(request="2G", limit="8G"),
    timeout=6 * _HOUR,
)
_TRAINING = Step(
    cpu=Cpu(request="1", limit="8"),
    memory=Memory(request="3G", limit="16G"),
    timeout=24 * _HOUR,
)
#: For steps that talk to stores outside of the pipeline, which may be away for a moment.
_AGAIN = {"retries": Retries(count=2)}

#: What each step asks for unless project.yaml says else, by the name of its component.
DEFAULTS: Mapping[str, Step] = {
    "ingest": _DATA.model_copy(update=_AGAIN),
    "feature_builder": _DATA,
    "historical_features": _DATA,
    "leakage_check": _DATA,
    "example_gen": _DATA,
    "statistics_gen": _DATA,
    "schema_gen": _DATA,
    "example_validator": _DATA,
    "resolver": _SMALL,
    "data_gate": _SMALL,
    "transform": _TRAINING,
    "tuner": _TRAINING,
    "trainer": _TRAINING,
    "evaluator": _TRAINING,
    "challenger": _DATA,
    "infra_validator": _TRAINING,
    "edge_export": _TRAINING,
    "model_gate": _SMALL,
    "pusher": _SMALL.model_copy(update=_AGAIN),
    "batch_inference": _TRAINING.model_copy(update=_AGAIN),
    "materialize": _DATA.model_copy(update=_AGAIN),
    "feature_check": _DATA,
    "run_status": _SMALL,
}
#: In `steps`, stands for each of them.
ALL = "all"
#: Steps whose work can go to a Beam runner elsewhere.
BEAM_STEPS = ("transform",)


def _named_like(names: Collection[str], kind: str) -> AfterValidator:
    """Refuses keys that are not among ``names``."""

    def check(values: dict[str, T]) -> dict[str, T]:
        for name in values:
            if name not in names:
                raise ValueError(f"{name!r} is no {kind}. {nearest(name, names)}")
        return values

    return AfterValidator(check)


def _text(version: Any) -> Any:
    # As a number, 2.10 would be 2.1.
    if isinstance(version, int | float):
        raise ValueError(f"{version} is a number; write a text, such as v2.17")
    return version


Image = Annotated[
    str,
    written_as(
        r"[^\s@]+(@sha256:[0-9a-f]{64})?",
        "the name of an image, such as registry.example/core@sha256: and 64 digits from 0 to f",
    ),
]


class Images(Section):
    """Container images by role; best by digest: `registry.example/core@sha256:…`."""

    core: Image | None = Field(None, description="of steps that need no TensorFlow")
    tfx: Image | None = Field(None, description="of steps that run TensorFlow, TFX or Beam")


class RunLimits(Section):
    """Limits of whole runs, in seconds; they need `backend_version: v2.17`."""

    timeout: int | None = Field(None, ge=1, description="after which a run is ended")
    keep: int | None = Field(None, ge=1, description="how long the workflow of a run is kept")
    keep_succeeded: int | None = Field(None, ge=1, description="the same for runs that succeeded")
    keep_failed: int | None = Field(None, ge=1, description="the same for runs that failed")


class Platform(Section):
    """Images, and what steps ask of the machines that they run on."""

    steps: Annotated[dict[str, Step], _named_like((ALL, *DEFAULTS), "step")] = Field(
        default_factory=dict,
        description="by the name of the step's component, `all` for every step. Lists of both are "
        "put together, else the step's own setting counts",
    )
    images: Images = Images()
    beam_pipeline_args: Annotated[
        dict[str, list[str]], _named_like(BEAM_STEPS, "step with a Beam pipeline")
    ] = Field(
        default_factory=dict,
        description="step: options of its Beam pipeline, for Flink, Spark or Dataflow; else it "
        "works in its own process. Today only `transform` has one",
    )
    backend_version: Annotated[
        str, BeforeValidator(_text), written_as(r"v?\d+\.\d+(\.\d+)?", "a version, such as v2.17")
    ] = Field(
        "v2.5",
        description="release of Kubeflow Pipelines that runs the pipeline; settings that it does "
        "not know are refused",
    )
    runs: RunLimits = RunLimits()
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="when nodes fetch images; Kubernetes' own rule when left out"
    )
    image_pull_secrets: list[Name] = Field(
        default_factory=list, description="secrets with which nodes fetch images"
    )

    def step(self, name: str) -> Step:
        """What the steps of one component ask for: defaults, then `all`, then their own."""
        own = [self.steps[key] for key in (ALL, name) if key in self.steps]
        layers = [step.model_dump(exclude_unset=True) for step in (DEFAULTS[name], *own)]
        return Step.model_validate(_together(*layers))

    def with_images(self, images: Mapping[str, str], *, where: str) -> Platform:
        """The same with other images for the roles that ``images`` names.

        Raises:
            ConfigError: there is no such role, or a name is no image's; it names ``where``.
        """
        named = Images.parse({**self.images.model_dump(), **images}, where=where)
        return self.model_copy(update={"images": named})

    @model_validator(mode="after")
    def _no_request_above_its_limit(self) -> Platform:
        for name in DEFAULTS:
            step = self.step(name)
            for what in ("cpu", "memory"):
                found = getattr(step, what)
                if not found.request or not found.limit:
                    continue
                if amount(found.request) > amount(found.limit):
                    raise ValueError(
                        f"steps.{name}.{what}: the request {found.request} is more than the limit "
                        f"{found.limit}; set both"
                    )
        return self


def _together(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Sections laid over one another: lists are put together, else the later value counts."""
    whole: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = whole.get(key)
            if isinstance(before, dict) and isinstance(value, dict):
                whole[key] = _together(before, value)
            elif isinstance(before, list) and isinstance(value, list):
                whole[key] = before + value
            else:
                whole[key] = value
    return whole
