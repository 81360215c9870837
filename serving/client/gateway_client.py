"""The gateway's interface: entity keys in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import orjson

from headrace.serving.client.http import Http


@dataclass(frozen=True)
class GatewayRow:
    """The answer for one row.

    Attributes:
        outputs: Value by output name; None when the row was rejected.
        rejected: Why it was; None when it was not.
        flags: Features that had no value: their state, and what was sent instead.
        feature_times: When each feature view's values are from, as ISO 8601.
    """

    outputs: Mapping[str, Any] | None
    rejected: str | None
    flags: Mapping[str, Mapping[str, str]]
    feature_times: Mapping[str, str | None]


@dataclass(frozen=True)
class GatewayAnswer:
    """The gateway's answer.

    Attributes:
        request_id: To find the request in logs.
        version: The version that answered.
        features_as_of: The moment for which features were read, as ISO 8601.
        rows: One per row asked.
    """

    request_id: str
    version: int
    features_as_of: str
    rows: tuple[GatewayRow, ...]


class GatewayClient:
    """The gateway over HTTP; its connections are kept, and shared by all threads."""

    def __init__(
        self,
        url: str = "http://localhost:8080",
        *,
        deadline: float = 5.0,
        token: str | None = None,
    ) -> None:
        """Prepares.

        Args:
            url: The gateway.
            deadline: Seconds for each call, with all its attempts.
            token: Bearer token, where the gateway asks for one.
        """
        self._http = Http(url, deadline=deadline, token=token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> GatewayAnswer:
        """Asks for predictions.

        Args:
            model: The model's name.
            rows: Entity keys and request fields of each row; ``/docs`` of the gateway lists them.

        Raises:
            InvalidRequestError: a row is not what the model's interface asks for.
            UnknownModelError: the gateway serves no such model.
            HeadraceError: there is no prediction; message and fix are the gateway's.
        """
        body = orjson.dumps({"instances": list(rows)}, option=orjson.OPT_SERIALIZE_NUMPY)
        path = f"/v1/predict/{quote(model, safe='')}"
        answer = orjson.loads(self._http.ask("POST", path, body).content)
        return GatewayAnswer(
            answer["request_id"],
            answer["model"]["version"],
            answer["features_as_of"],
            tuple(
                GatewayRow(row["outputs"], row.get("rejected"), row["flags"], row["feature_times"])
                for row in answer["predictions"]
            ),
        )

    def models(self) -> list[dict[str, Any]]:
        """The gateway's models: name, version that answers, feature service, what went wrong.

        Raises:
            HeadraceError: it does not answer.
        """
        found: list[dict[str, Any]] = orjson.loads(self._http.ask("GET", "/v1/models").content)[
            "models"
        ]
        return found
