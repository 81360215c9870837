"""The work of ``infra_validator``: a model server loads the model and answers real rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.deployment.infra_validator import requests
from headrace.components.deployment.infra_validator.server import RefusedError, started
from headrace.components.shared.config.model import Serving
from headrace.components.shared.signatures import EXAMPLES_SIGNATURE, RAW_SIGNATURE
from headrace.serving.client import GrpcClient, RestClient
from headrace.serving.gateway.tensor_protos import Array

_ROWS = 200
_SECONDS = 300.0
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Result:
    """Whether the model can be served, and what its server said."""

    blessed: bool
    verdict: str
    numbers: dict[str, Any] = field(default_factory=dict)


def run(
    *, model: Path, source: Path, name: str, serving: Mapping[str, Any], warmup: Path
) -> Result:
    """Serves the model in a process of its own, and asks it.

    Args:
        model: SavedModel.
        source: Examples artifact; rows of its test split are sent.
        name: Model name.
        serving: Keys of :class:`Serving`.
        warmup: File for the requests that a server replays before it serves the model; empty when
            none are wanted, or when the model is refused.

    Raises:
        DataError: there are no rows to send.
    """
    settings = Serving.parse(serving, where="serving")
    warmup.touch()
    try:
        with started(model, name, _SECONDS) as server:
            rows = requests.read(source, _ROWS)  # while the server loads
            with server.clients() as (grpc, rest):
                asked = requests.build(rows, grpc.signatures(name)[RAW_SIGNATURE])
                answers = _ask(grpc, rest, name, asked)
        numbers = _compare(answers)
    except RefusedError as refused:
        return Result(False, f"the model cannot be served: {refused}")
    requests.record(asked, name, settings.warmup_rows, warmup)
    text = (
        f"{numbers['rows']} real rows answered alike by both signatures, over gRPC and REST "
        f"(largest difference {numbers['difference']:.1e})"
    )
    return Result(True, text, numbers)


def _ask(
    grpc: GrpcClient, rest: RestClient, name: str, asked: requests.Requests
) -> dict[str, Array]:
    """The answers by who gave them; each of shape (rows,)."""
    predictions = {
        EXAMPLES_SIGNATURE: grpc.predict(
            name, asked[EXAMPLES_SIGNATURE], signature=EXAMPLES_SIGNATURE
        ),
        RAW_SIGNATURE: grpc.predict(name, asked[RAW_SIGNATURE]),
        f"{RAW_SIGNATURE} over REST": rest.predict(name, asked[RAW_SIGNATURE]),
    }
    answers = {}
    for who, prediction in predictions.items():
        (answers[who],) = prediction.outputs.values()
    return answers


def _compare(answers: Mapping[str, Array]) -> dict[str, Any]:
    """Number of rows, largest difference, smallest and largest answer.

    Raises:
        RefusedError: an answer is not finite, or answers disagree.
    """
    (first, expected), *others = answers.items()
    if not np.isfinite(expected).all():
        raise RefusedError(f"{int((~np.isfinite(expected)).sum())} answers are not finite")
    difference = 0.0
    for who, answer in others:
        if answer.shape != expected.shape:
            raise RefusedError(
                f"{first} answers in the shape {expected.shape}, {who} in {answer.shape}"
            )
        # JSON has decimals, which are the answer only when they are floats of its size again.
        apart = float(np.abs(answer.astype(expected.dtype) - expected).max())
        if not apart <= _TOLERANCE:  # NaN is a difference, too
            raise RefusedError(f"{first} and {who} differ by up to {apart:g} on one row")
        difference = max(difference, apart)
    return {
        "rows": len(expected),
        "difference": difference,
        "smallest": float(expected.min()),
        "largest": float(expected.max()),
    }
