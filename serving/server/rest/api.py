"""TensorFlow Serving's REST API on the server's models: a request in, an answer out.

A request waits for its model as a coroutine, see ``calls``; safe from any thread.
"""

from __future__ import annotations

import logging
import re
import time
import zlib
from contextlib import AbstractContextManager
from typing import Any

from tensorflow_serving.apis import classification_pb2, regression_pb2

from headrace.serving.server import inference
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.inference import InferenceOptions
from headrace.serving.server.rest import documents, routes
from headrace.serving.server.rest.codec.example_reader import read_examples
from headrace.serving.server.rest.codec.json_reader import read_object
from headrace.serving.server.rest.codec.predict_request import (
    Form,
    read_predict,
    read_signature_name,
)
from headrace.serving.server.rest.codec.result_writer import write_classes, write_values
from headrace.serving.server.rest.codec.tensor_writer import write_columns, write_rows
from headrace.serving.server.rest.http_protocol import Request
from headrace.serving.server.rest.response import JSON, Response, error
from headrace.serving.server.rest.routes import Target
from headrace.serving.server.runtime.signatures import DEFAULT_SIGNATURE
from headrace.serving.server.seam import Entrypoint, Models, Observer, RequestLog, Servable
from headrace.serving.server.timed import TimedServable

_LOGGER = logging.getLogger(__name__)
_WEB_ORIGIN = re.compile(r"https?://")
_CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET"),
    ("Access-Control-Allow-Headers", "Content-Type"),
)


class RestApi:
    """Answers what is below ``/v1/``.

    Args:
        models: The server's models.
        observer: Is told of each request.
        options: What flags change about answers.
        cors: Whether answers allow web pages from elsewhere to read them.
        max_body: Bytes that a compressed body may have when it is not compressed.
        log: Takes samples, if there is one.
    """

    def __init__(
        self,
        models: Models,
        observer: Observer,
        options: InferenceOptions,
        *,
        cors: bool,
        max_body: int,
        log: RequestLog | None = None,
    ) -> None:
        self._models = models
        self._observer = observer
        self._options = options
        self._headers = (JSON, *_CORS) if cors else (JSON,)
        self._max_body = max_body
        self._log = log
        self._methods = {
            "predict": self._predict,
            "classify": self._classify,
            "regress": self._regress,
        }

    async def answer(self, request: Request) -> Response:
        """The answer to a request below ``/v1/``; errors are answers too."""
        start = time.perf_counter()
        target = Target()
        code = Code.OK
        try:
            response = Response(200, await self._result(request, target), self._headers)
        except ServingError as failure:
            code = failure.code
            response = self.failure(failure)
        except Exception:
            _LOGGER.exception("%s %s failed", request.verb, request.path)
            code = Code.INTERNAL
            response = self.failure(ServingError(code, "Internal error; see the server's log."))
        elapsed = time.perf_counter() - start
        self._observer.request(target.model, target.method, Entrypoint.REST, code, elapsed)
        return response

    def failure(self, failure: ServingError) -> Response:
        """The answer that tells of a failure."""
        plain = error(failure.code.http_status, failure.message)
        return Response(plain.status, plain.body, self._headers)

    async def _result(self, request: Request, target: Target) -> bytes:
        if request.verb == "OPTIONS":
            origin = request.headers.get(b"origin", b"").decode("latin-1")
            if not _WEB_ORIGIN.search(origin):
                raise ServingError(
                    Code.FAILED_PRECONDITION, "Origin header is missing in CORS preflight"
                )
            return b""
        routes.find(request.verb, request.path, target)
        if not target.method:
            return self._look_up(target)
        body = self._uncompressed(request)
        return await self._methods[target.method](target, read_object(body))

    def _look_up(self, target: Target) -> bytes:
        if not target.metadata:
            # A label is ignored, as in TensorFlow Serving: all versions are returned.
            return documents.status(self._models.status(target.model, target.version))
        with self._acquire(target) as servable:
            return documents.metadata(servable)

    async def _predict(self, target: Target, document: dict[str, Any]) -> bytes:
        name = read_signature_name(document) or DEFAULT_SIGNATURE
        with self._acquire(target) as servable:
            signature = servable.signatures.get(name)
            if signature is None:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f'Serving signature name: "{name}" not found in signature def',
                )
            inputs, form = read_predict(document, signature.inputs)
            outputs = await self._timed(servable, "Predict").run(name, inputs)
            if self._log is not None:
                self._log.add_predict(servable, name, inputs, outputs)
        return write_rows(outputs) if form is Form.ROWS else write_columns(outputs)

    async def _classify(self, target: Target, document: dict[str, Any]) -> bytes:
        request = classification_pb2.ClassificationRequest()
        request.model_spec.signature_name = read_signature_name(document)
        read_examples(document, request.input)
        with self._acquire(target) as servable:
            response = await inference.classify(
                self._timed(servable, "Classify"), request, self._options
            )
            if self._log is not None:
                self._log.add(servable, request, response)
        return write_classes(response.result)

    async def _regress(self, target: Target, document: dict[str, Any]) -> bytes:
        request = regression_pb2.RegressionRequest()
        request.model_spec.signature_name = read_signature_name(document)
        read_examples(document, request.input)
        with self._acquire(target) as servable:
            response = await inference.regress(
                self._timed(servable, "Regress"), request, self._options
            )
            if self._log is not None:
                self._log.add(servable, request, response)
        return write_values(response.result)

    def _acquire(self, target: Target) -> AbstractContextManager[Servable]:
        return self._models.acquire(target.model, target.version, target.label)

    def _timed(self, servable: Servable, api: str) -> Servable:
        return TimedServable(servable, self._observer, api)

    def _uncompressed(self, request: Request) -> bytes:
        if b"gzip" not in request.headers.get(b"content-encoding", b""):
            return request.body
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            body = reader.decompress(request.body, self._max_body + 1)
        except zlib.error:
            body = b""
        if len(body) > self._max_body:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"The body has more than {self._max_body} bytes when it is not compressed",
            )
        if not reader.eof:
            raise ServingError(Code.INVALID_ARGUMENT, "Failed to uncompress the gzipped body")
        return body
