"""What one step of a pipeline asks of the machine that it runs on."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from headrace.components.shared.config.section import Section


def written_as(pattern: str, what: str) -> AfterValidator:
    """Refuses texts that do not match; ``what`` says what was expected, with an example."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return AfterValidator(check)


Cores = Annotated[
    str,
    # YAML reads `request: 2` as a number.
    Field(coerce_numbers_to_str=True),
    written_as(r"\d+m|\d+(\.\d+)?", "a number of cores, such as 2 or 500m"),
]
Bytes = Annotated[
    str,
    Field(coerce_numbers_to_str=True),
    written_as(r"\d+[KMGT]i?", "an amount of bytes with its unit, such as 4G or 512Mi"),
]
Folder = Annotated[str, written_as(r"/.*", "an absolute path, such as /mnt/data")]
Name = Annotated[
    str,
    written_as(
        r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?",
        "a name in Kubernetes: small letters, digits, dots and dashes",
    ),
]


class Cpu(Section):
    """Processor cores, such as `2` or `500m`."""

    request: Cores | None = Field(None, description="what is kept free for the step")
    limit: Cores | None = Field(None, description="above it the step is slowed down")


class Memory(Section):
    """Memory, such as `4G` or `512Mi`."""

    request: Bytes | None = Field(None, description="what is kept free for the step")
    limit: Bytes | None = Field(None, description="above it the step is ended, on a laptop too")


class Accelerator(Section):
    """GPUs or TPUs."""

    type: str = Field(
        description="a resource of the cluster, such as nvidia.com/gpu; on Vertex AI its name, "
        "such as NVIDIA_TESLA_T4"
    )
    count: int = Field(1, ge=1, description="how many")


class Toleration(Section):
    """A taint of nodes that the step may run on all the same."""

    key: str | None = Field(None, description="the taint's key; every key when left out")
    operator: Literal["Equal", "Exists"] = Field("Equal", description="how value is compared")
    value: str | None = Field(None, description="the taint's value, for operator Equal")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="every effect when left out"
    )
    seconds: int | None = Field(None, ge=0, description="effect NoExecute: how long it may stay")

    @model_validator(mode="after")
    def _as_kubernetes_asks(self) -> Toleration:
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("operator Exists goes without value")
        if self.operator == "Equal" and self.key is None:
            raise ValueError("a toleration without key needs operator Exists")
        if self.seconds is not None and self.effect != "NoExecute":
            raise ValueError("seconds goes with effect NoExecute")
        return self


class Secret(Section):
    """A Kubernetes secret that the step reads."""

    name: Name = Field(description="of the secret, in the namespace of the steps")
    env: dict[str, str] = Field(
        default_factory=dict, description="key of the secret: environment variable"
    )
    mount: Folder | None = Field(None, description="folder with a file per key, instead of env")
    optional: bool = Field(False, description="start without it when it does not exist")

    @model_validator(mode="after")
    def _one_way(self) -> Secret:
        if bool(self.env) == (self.mount is not None):
            raise ValueError("a secret needs either env or mount")
        return self


class Volume(Section):
    """A volume that the step mounts: an existing claim, or one that ends with the step."""

    mount: Folder = Field(description="folder in the step")
    claim: Name | None = Field(None, description="an existing persistent volume claim")
    sub_path: str = Field("", description="with claim: a folder in it, instead of the whole")
    size: Bytes | None = Field(None, description="instead of claim: a new, empty volume")
    storage_class: str | None = Field(
        None, description="with size: the kind of volume; the cluster's default when left out"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Volume:
        if (self.claim is None) == (self.size is None):
            raise ValueError("a volume needs either claim or size")
        if self.size is not None and self.sub_path:
            raise ValueError("sub_path goes with claim")
        if self.claim is not None and self.storage_class is not None:
            raise ValueError("storage_class goes with size")
        return self


class Retries(Section):
    """What happens when the step fails."""

    count: int = Field(0, ge=0, description="further attempts")
    wait: int = Field(30, ge=1, description="seconds before the first of them")
    factor: float = Field(2.0, ge=1, description="by which each wait is longer than the last")
    longest_wait: int = Field(600, ge=1, description="seconds that no wait exceeds")


class Step(Section):
    """What a step asks for; what is left out stays as it is by default."""

    cpu: Cpu = Cpu()
    memory: Memory = Memory()
    accelerator: Accelerator | None = Field(None, description="GPUs or TPUs; none when left out")
    retries: Retries = Retries()
    timeout: int | None = Field(
        None, ge=1, description="seconds after which an attempt is ended; null for no end"
    )
    node_selector: dict[str, str] = Field(
        default_factory=dict, description="labels that a node must have"
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, description="taints that do not matter"
    )
    secrets: list[Secret] = Field(default_factory=list, description="Kubernetes secrets to read")
    volumes: list[Volume] = Field(default_factory=list, description="volumes to mount")
