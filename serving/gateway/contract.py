"""One version of a model together with the features that it was trained on: they change as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.model_store import ModelStore
from headrace.serving.gateway.config import Limits, Model
from headrace.serving.gateway.model_server import Signature
from headrace.serving.gateway.policy import InputRules, rules_for
from headrace.serving.gateway.protocol import serving_apis
from headrace.serving.gateway.request import RequestField, RequestForm
from headrace.serving.gateway.service import Service
from headrace.serving.gateway.training_data import TrainingData, read_training_data

if TYPE_CHECKING:
    from feast import FeatureStore


@dataclass(frozen=True)
class ModelInput:
    """One input tensor.

    Attributes:
        name: Of the tensor and of the feature.
        dtype: TensorFlow's ``DataType``.
        rules: What to send when the feature has no value.
    """

    name: str
    dtype: int
    rules: InputRules


@dataclass(frozen=True)
class Contract:
    """All that answering for one version needs.

    Attributes:
        model: The model's name.
        version: The version; every prediction asks the model server for exactly this one.
        manifest: What was recorded when it was pushed.
        signature: What is called.
        inputs: Its input tensors.
        form: What the caller brings.
        service: The feature service; None for a model that was trained without a feature store.
        changed: Whether the repository's definitions are not those of the training.
    """

    model: str
    version: int
    manifest: Mapping[str, Any]
    signature: Signature
    inputs: tuple[ModelInput, ...]
    form: RequestForm
    service: Service | None
    changed: bool


class ContractMaker:
    """Makes a model's contracts, one per version, over one connection to the online store."""

    def __init__(
        self, name: str, settings: Model, limits: Limits, *, now: Callable[[], float]
    ) -> None:
        """Prepares; nothing is opened yet.

        Args:
            name: The model's name.
            settings: Its part of ``gateway.yaml``.
            limits: For requests and for the online store.
            now: The moment for which features are asked, in seconds since 1970.
        """
        self._name = name
        self._settings = settings
        self._limits = limits
        self._now = now
        self._versions = ModelStore(settings.versions, name)
        self._store: FeatureStore | None = None
        self._connection: Any = None

    def manifest(self, version: int) -> dict[str, Any]:
        """What was recorded when a version was pushed.

        Raises:
            ConfigError: nothing was.
        """
        manifest = self._versions.manifest(version)
        if not manifest:
            raise ConfigError(
                f"Version {version} of model {self._name!r} has no manifest in "
                f"{self._versions.path(version)}, so its features are not known.",
                fix="Push it with Headrace's pusher, and check `versions` in gateway.yaml.",
            )
        return manifest

    def make(self, version: int, signature: Signature) -> Contract:
        """Works out how to answer for a version. Slow: reads files and the registry.

        Raises:
            ConfigError: the manifest, the repository and the signature do not fit together.
        """
        manifest = self.manifest(version)
        training = read_training_data(self._versions, version)
        asked = manifest.get("feature_store") or {}
        service, changed = None, False
        if asked:
            service, changed = self._service(version, asked)
        views = {c.name: c.view for c in service.features.values()} if service else {}
        rules = rules_for(self._settings, signature.inputs, views, training.required)
        return Contract(
            model=self._name,
            version=version,
            manifest=manifest,
            signature=signature,
            inputs=tuple(
                ModelInput(name, dtype, rules[name]) for name, dtype in signature.inputs.items()
            ),
            form=RequestForm(
                list(_brought(service, signature, training).values()), max_rows=self._limits.rows
            ),
            service=service,
            changed=changed,
        )

    def close(self) -> None:
        """Closes the connection to the online store."""
        if self._connection is not None:
            self._connection.close()

    def _service(self, version: int, asked: Mapping[str, Any]) -> tuple[Service, bool]:
        from headrace.feature_store.online.reader import OnlineReader
        from headrace.feature_store.repo import open_store, registry_hash

        name: str = asked["feature_service"]
        if self._settings.repo is None:
            raise ConfigError(
                f"Version {version} of model {self._name!r} was trained on feature service "
                f"{name!r}, but gateway.yaml names no repository for it.",
                fix=f"Set models.{self._name}.repo to the Feast repository.",
            )
        if self._store is None:
            self._store = open_store(self._settings.repo, self._settings.config)
        else:
            self._store.refresh_registry()
        changed = registry_hash(self._store) != asked.get("registry_hash")
        if changed and self._settings.changed_definitions == "refuse":
            raise ConfigError(
                f"The definitions in {self._settings.repo} are not those that version {version} "
                f"of model {self._name!r} was trained with.",
                fix="Train and push again, or set changed_definitions: warn.",
            )
        reader = OnlineReader(
            self._store,
            name,
            now=self._now,
            timeout=self._limits.store_timeout_seconds,
            connection=self._connection,
        )
        self._connection = self._connection or reader.connection
        return Service.of(self._store, name, reader), changed


def _brought(
    service: Service | None, signature: Signature, training: TrainingData
) -> dict[str, RequestField]:
    """What the caller brings: what the service asks for, and inputs that it does not give."""
    names, fields = serving_apis().types.DataType, {}
    for column in service.asked.values() if service else ():
        text = column.kind == "STRING"
        blank = text and column.name not in signature.inputs
        # The documentation is for everybody: it must name no one.
        shown = not blank and column.sensitivity in ("", "public")
        example = training.examples.get(column.name) if shown else "" if text else 0
        fields[column.name] = RequestField(column.name, column.kind, blank, example)
    for name, dtype in signature.inputs.items():
        if name not in fields and not (service and name in service.features):
            kind = names.Name(dtype).removeprefix("DT_")
            optional = name not in training.required
            fields[name] = RequestField(name, kind, optional, training.examples.get(name))
    return fields
