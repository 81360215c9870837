"""``gateway.yaml``: which models are served, from which features, and what to do without them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import AfterValidator, Field, model_validator

from headrace.components.shared.config.section import Section
from headrace.components.shared.errors import ConfigError

_REFERENCE = "docs/how-to/gateway.md"


class State(StrEnum):
    """Why a feature has no value that counts."""

    STALE = "stale"
    MISSING = "missing"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"


class Action(StrEnum):
    """What to do then."""

    REJECT = "reject"
    DEFAULT = "default"
    OMIT = "omit"


class Rules(Section):
    """What to do with a feature that has no value, by the reason; unset means: as one level up."""

    stale: Action | None = Field(None, description="older than the view's ttl")
    missing: Action | None = Field(None, description="the entity is known, this value is not")
    unknown: Action | None = Field(None, description="the entity has no row")
    unavailable: Action | None = Field(None, description="the online store does not answer")

    def action(self, state: State) -> Action | None:
        """What to do, if it is said here."""
        found: Action | None = getattr(self, state.value)
        return found


class FeatureRules(Rules):
    """The same for one feature, with the value that stands in for it."""

    default: float | int | str | None = Field(None, description="what `default` sends")

    @model_validator(mode="after")
    def _has_default(self) -> Self:
        if self.default is None and Action.DEFAULT in map(self.action, State):
            raise ValueError("the action `default` needs a value: add the key `default`")
        return self


def _feature_only(rules: Rules) -> Rules:
    if Action.DEFAULT in map(rules.action, State):
        raise ValueError("`default` needs a value, so it can be set under `features` only")
    return rules


CommonRules = Annotated[Rules, AfterValidator(_feature_only)]


class Model(Section):
    """A model: where it runs, where its versions are, where its features come from."""

    server: str = Field("localhost:8500", description="host:port of its gRPC server")
    versions: str = Field(
        ".headrace/models", description="folder or URI above the pushed versions' folder"
    )
    repo: Path | None = Field(
        None, description="Feast repository; a model trained without a feature store needs none"
    )
    config: str | None = Field(None, description="configuration file in it")
    signature: str = Field("raw_tensors", description="the signature that takes named tensors")
    poll_seconds: float = Field(1.0, gt=0, description="how often to look for a new version")
    changed_definitions: Literal["warn", "refuse"] = Field(
        "warn", description="when the repository is not what the version was trained with"
    )
    policy: CommonRules = Field(Rules(), description="of all features; `omit` where nothing is set")
    views: dict[str, CommonRules] = Field({}, description="of one feature view's features")
    features: dict[str, FeatureRules] = Field({}, description="of one feature")


class Limits(Section):
    """What a client may ask for."""

    deadline_seconds: float = Field(2.0, gt=0, description="for a whole request")
    store_timeout_seconds: float = Field(0.25, gt=0, description="for the online store's answer")
    rows: int = Field(1000, ge=1, description="per request")
    body_bytes: int = Field(1_000_000, ge=1, description="per request")
    requests_per_second: float = Field(0.0, ge=0, description="per client; 0 means no limit")
    burst: int = Field(50, ge=1, description="requests that may come at once")


class Auth(Section):
    """Who may ask."""

    tokens: Path | None = Field(
        None, description="file with lines `name sha256-of-token`; unset lets everybody in"
    )
    tokens_from: str | None = Field(
        None, description="environment variable with such lines, instead of a file"
    )


class Cors(Section):
    """Which web pages may ask."""

    origins: list[str] = Field([], description="such as https://example.org; empty means none")


class Predictions(Section):
    """The log of what was answered."""

    folder: Path | None = Field(
        Path(".headrace/predictions"), description="where; null switches the log off"
    )
    sample: float = Field(1.0, ge=0, le=1, description="share of requests that are logged")
    rotate_seconds: float = Field(60.0, gt=0, description="age at which a file is finished")
    rotate_rows: int = Field(50_000, ge=1, description="rows at which a file is finished")
    queue_rows: int = Field(100_000, ge=1, description="rows that may wait; more are dropped")
    sensitive: dict[str, Literal["hash", "leave_out"]] = Field(
        {}, description="what to do with columns by the value of their tag `sensitivity`"
    )
    columns: dict[str, Literal["hash", "leave_out"]] = Field(
        {}, description="the same for a column by name, such as a join key"
    )
    hash_key_from: str = Field(
        "HEADRACE_LOG_KEY", description="environment variable with the key of the hashes"
    )


class GatewayConfig(Section):
    """All of ``gateway.yaml``."""

    reference: ClassVar[str] = _REFERENCE

    models: dict[str, Model] = Field(min_length=1, description="by the model server's name of it")
    limits: Limits = Limits()
    auth: Auth = Auth()
    cors: Cors = Cors()
    predictions: Predictions = Predictions()
    audit: Path | None = Field(
        Path(".headrace/audit.jsonl"), description="the history of versions; null for none"
    )


def load(path: Path) -> GatewayConfig:
    """Reads ``gateway.yaml``; paths in it are relative to its folder.

    Raises:
        ConfigError: the file is missing, is no YAML, or says something unusable.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.",
            fix=f"Name the gateway's configuration; {_REFERENCE} shows one.",
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {error}", fix="Correct the file.") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} has no keys.", fix=f"Start with `models:`; see {_REFERENCE}.")
    return _anchored(GatewayConfig.parse(values, where=str(path)), path.parent.absolute())


def _anchored(config: GatewayConfig, root: Path) -> GatewayConfig:
    models = {
        name: model.model_copy(
            update={
                "versions": _absolute(model.versions, root),
                "repo": model.repo and root / model.repo,
            }
        )
        for name, model in config.models.items()
    }
    predictions, auth = config.predictions, config.auth
    update: dict[str, Any] = {
        "models": models,
        "audit": config.audit and root / config.audit,
        "predictions": predictions.model_copy(
            update={"folder": predictions.folder and root / predictions.folder}
        ),
        "auth": auth.model_copy(update={"tokens": auth.tokens and root / auth.tokens}),
    }
    return config.model_copy(update=update)


def _absolute(place: str, root: Path) -> str:
    return place if "://" in place else str(root / place)
