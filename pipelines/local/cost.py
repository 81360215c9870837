"""What a run cost: the compute of its steps, times prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field

from headrace.components.shared.config.section import Section
from headrace.components.shared.errors import ConfigError

_HOUR = 3600


class Prices(Section):
    """A price file."""

    reference: ClassVar[str] = "docs/how-to/cost.md"

    model_config = ConfigDict(allow_inf_nan=False)

    currency: str = Field(min_length=1)
    cpu_hour: float = Field(ge=0)
    memory_gb_hour: float = Field(ge=0)
    gpu_hour: float = Field(default=0, ge=0)


class Usage(BaseModel):
    """Compute.

    Attributes:
        cpu_seconds: Processor time, of all cores together.
        memory_gb_seconds: Peak memory in 10^9 bytes times seconds.
        gpu_seconds: GPUs that were there for the step, times seconds.
    """

    cpu_seconds: float = 0.0
    memory_gb_seconds: float = 0.0
    gpu_seconds: float = 0.0

    @classmethod
    def of(
        cls, seconds: float, *, cpu_seconds: float, peak_memory_mb: float, gpus: int = 0
    ) -> Usage:
        """The compute of something that ran once."""
        return cls(
            cpu_seconds=cpu_seconds,
            memory_gb_seconds=peak_memory_mb / 1e3 * seconds,
            gpu_seconds=gpus * seconds,
        )

    def cost(self, prices: Prices) -> float:
        """In the prices' currency."""
        return (
            self.cpu_seconds * prices.cpu_hour
            + self.memory_gb_seconds * prices.memory_gb_hour
            + self.gpu_seconds * prices.gpu_hour
        ) / _HOUR


@dataclass(frozen=True)
class Bill:
    """A run's compute.

    Attributes:
        run: Of the steps that ran, also those that failed.
        result: Of every step that the result is made of, also when an earlier run has run it.
        prices: If they are known.
    """

    run: Usage
    result: Usage
    prices: Prices | None

    def amounts(self) -> dict[str, float]:
        """Everything by name, as numbers to compare."""
        found = {"run": self.run, "result": self.result}
        named = {f"{name} {key}": v for name, usage in found.items() for key, v in usage}
        if self.prices:
            costs = {n: usage.cost(self.prices) for n, usage in found.items()}
            named |= {f"{name} cost {self.prices.currency}": cost for name, cost in costs.items()}
        return named


def total(usages: Iterable[Usage]) -> Usage:
    """The sum."""
    columns = list(usages)
    return Usage(**{key: sum(getattr(u, key) for u in columns) for key in Usage.model_fields})


def read_prices(path: Path) -> Prices:
    """Reads a price file.

    Raises:
        ConfigError: it cannot be read, or a value does not fit.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"The price file {path} cannot be read: {error}",
            fix=f"Name a YAML file; `{Prices.reference}` shows one.",
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"The price file {path} holds no keys.", fix=f"`{Prices.reference}` shows one."
        )
    return Prices.parse(values, where=str(path))
