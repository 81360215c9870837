"""What the front ends know of models, and what the server knows of front ends.

Everything here is a plain value or a protocol, so that a front end can be replaced, by a native
one too, without touching what loads and runs models.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy.typing as npt

from headrace.serving.server.errors import Code

Array = npt.NDArray[Any]


class State(enum.IntEnum):
    """Life of a version; numbers are those of ``ModelVersionStatus.State``."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """What a status call says of one version."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        name: Tensor in the graph, for example ``serving_default_x:0``.
        dtype: TensorFlow's ``DataType`` number.
        shape: Sizes, None for an unknown size; None altogether for an unknown rank.
    """

    name: str
    dtype: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    """One signature of a model; inputs and outputs by alias.

    Attributes:
        method_name: For example ``tensorflow/serving/predict``.
        inputs: What a request may send.
        outputs: What an answer may hold.
        defaults: Values of inputs that a request may leave out.
    """

    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, Array] = field(default_factory=dict)


class Servable(Protocol):
    """One loaded version of one model."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> int:
        """The version's number."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """All signatures by name."""

    @property
    def signature_def_map(self) -> Any:
        """``tensorflow.serving.SignatureDefMap`` as the exporter wrote it."""

    async def run(
        self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs the model; safe from any thread. A request may wait for others: see ``calls``.

        Strings are object arrays of ``bytes``. Checks names and numbers of inputs and outputs
        with TensorFlow Serving's texts; ``""`` means ``serving_default``.

        Args:
            signature: Name of the signature.
            inputs: Value by input alias.
            outputs: Aliases wanted; all when empty.

        Raises:
            ServingError: as TensorFlow Serving would answer.
        """

    async def run_graph(
        self, feeds: Mapping[str, Array], fetches: Sequence[str]
    ) -> dict[str, Array]:
        """The same by names of the graph's tensors, over several signatures at once."""


class Models(Protocol):
    """All models of the server, by name."""

    def acquire(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> AbstractContextManager[Servable]:
        """Holds a version for as long as a request needs it; without both, the newest.

        Raises:
            ServingError: NOT_FOUND or INVALID_ARGUMENT, with TensorFlow Serving's texts.
        """

    def status(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """The versions ever seen of a model, newest first, ended ones included.

        Raises:
            ServingError: NOT_FOUND, with TensorFlow Serving's texts.
        """

    def names(self) -> list[str]:
        """The configured models, sorted."""

    def ready(self) -> bool:
        """Whether each configured model has an available version."""


class Entrypoint(enum.StrEnum):
    """Where a request came in; a label of the latency metrics."""

    GRPC = "GRPC"
    REST = "REST"


class Observer(Protocol):
    """Is told what happens; the metrics are one. Calls are cheap and safe from any thread."""

    def request(
        self, model: str, api: str, entrypoint: Entrypoint, code: Code, seconds: float
    ) -> None:
        """A Predict, Classify or Regress (``api``) has been answered."""

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """The model itself ran for one request."""

    def examples(self, model: str, count: int) -> None:
        """A Classify, Regress or MultiInference held that many examples."""

    def warmup(self, model: str, records: int, seconds: float) -> None:
        """A version was warmed up."""

    def batch(self, queued_seconds: Sequence[float]) -> None:
        """A batch ran; how long each of its requests had waited."""

    def logged(self, model: str, ok: bool) -> None:
        """A request was (or could not be) written to the request log."""


class RequestLog(Protocol):
    """Takes samples of what was answered. Calls are cheap and safe from any thread."""

    def add(self, servable: Servable, request: Any, response: Any) -> None:
        """A request (any of the messages that are answered by a model) was answered."""

    def add_predict(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Mapping[str, Array],
    ) -> None:
        """A Predict that came as arrays was answered."""


class Watcher(Protocol):
    """Is told what becomes of models. Calls are cheap and safe from any thread."""

    def configured(self, models: Any, by: str) -> None:
        """A ``ModelConfigList`` has been taken over; ``by`` says who or what asked for it."""

    def changed(self, model: str, status: VersionStatus) -> None:
        """A version has another state."""


class FrontEnd(Protocol):
    """A protocol on a port. Made when models are there; ``start`` opens the port."""

    def start(self) -> None:
        """Opens the port and returns; ``address`` says where."""

    @property
    def address(self) -> str:
        """What to connect to, ``host:port``."""

    def stop(self, grace: float) -> None:
        """Refuses new requests, and waits at most ``grace`` seconds for those under way."""
