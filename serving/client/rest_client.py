"""TensorFlow Serving's REST interface."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote

import numpy as np
from google.protobuf import json_format

from headrace.components.shared.signatures import RAW_SIGNATURE
from headrace.serving.client.http import Http
from headrace.serving.client.model import Prediction, Signature, signatures_of
from headrace.serving.gateway.errors import PredictionError
from headrace.serving.gateway.protocol import serving_apis
from headrace.serving.gateway.tensor_protos import Array

#: TensorFlow Serving writes texts as they are, UTF-8 or not.
_ANY = "surrogateescape"


class RestClient:
    """A model server over HTTP; its connections are kept, and shared by all threads."""

    def __init__(self, url: str = "http://localhost:8501", *, deadline: float = 5.0) -> None:
        """Prepares.

        Args:
            url: The server.
            deadline: Seconds for each call, with all its attempts.
        """
        self._http = Http(url, deadline=deadline)
        #: Signatures of versions that were asked for by number: they never change.
        self._known: dict[str, dict[str, Signature]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = RAW_SIGNATURE,
    ) -> Prediction:
        """Asks for a prediction.

        JSON has numbers and texts but no types: whole numbers come back as ``int64``, others as
        ``float64``.

        Args:
            model: The model's name.
            inputs: Array (or nested list) by input name.
            version: The version; the newest when neither it nor a label is given.
            label: A label that the server gives to a version.
            signature: Which of the model's signatures.

        Raises:
            UnknownModelError: the server has no such model or version.
            InvalidRequestError: the inputs are not what the model takes.
            ModelServerError: the server does not answer.
            DeadlineError: it takes too long.
            PredictionError: it fails.
        """
        values = {name: _json(np.asarray(value)) for name, value in inputs.items()}
        # NaN and Infinity are no JSON, but TensorFlow Serving takes and sends them.
        body = json.dumps({"signature_name": signature, "inputs": values}).encode()
        path = f"{_path(model, version, label)}:predict"
        answer = self._document("POST", path, body)["outputs"]
        if not isinstance(answer, dict):  # a single output comes without its name
            known = self._known.get(path) or self.signatures(model, version=version, label=label)
            if version is not None:
                self._known[path] = known
            (name,) = known[signature].outputs
            answer = {name: answer}
        arrays = {name: _array(value) for name, value in sorted(answer.items())}
        return Prediction(arrays, version)

    def signatures(
        self, model: str, *, version: int | None = None, label: str | None = None
    ) -> dict[str, Signature]:
        """The model's signatures by name.

        Raises:
            HeadraceError: as for :meth:`predict`.
        """
        answer = self._document("GET", f"{_path(model, version, label)}/metadata")
        definitions = serving_apis().SignatureDefMap()
        found = answer["metadata"]["signature_def"]
        json_format.ParseDict(found, definitions, ignore_unknown_fields=True)
        return signatures_of(definitions)

    def states(self, model: str) -> dict[int, str]:
        """State of each version that the server knows, such as AVAILABLE.

        Raises:
            HeadraceError: as for :meth:`predict`.
        """
        found = self._document("GET", _path(model, None, None))["model_version_status"]
        return {int(status["version"]): status["state"] for status in found}

    def _document(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        answer = self._http.ask(method, path, body)
        try:
            document = json.loads(answer.content.decode(errors=_ANY))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise PredictionError(
                f"{self._http.url} did not answer with a JSON object.",
                fix="Check that a model server listens there.",
            )
        return document


def _path(model: str, version: int | None, label: str | None) -> str:
    path = f"/v1/models/{quote(model, safe='')}"
    if version is not None:
        return f"{path}/versions/{version}"
    return f"{path}/labels/{quote(label, safe='')}" if label is not None else path


def _json(array: Array) -> Any:
    """Nested lists; bytes that are no text travel in base64."""
    return _escaped(array.tolist()) if array.dtype.kind in "OS" else array.tolist()


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return value


def _array(value: Any) -> Array:
    plain = _unescaped(value)
    array = np.array(plain)
    if array.dtype.kind in "USO":
        flat = [
            v.encode(errors=_ANY) if isinstance(v, str) else v for v in np.array(plain, object).flat
        ]
        texts = np.empty(len(flat), object)
        texts[:] = flat
        return texts.reshape(np.shape(plain))
    return array


def _unescaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value
