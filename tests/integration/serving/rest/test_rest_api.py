"""The REST API of a running server, one test per rule of TensorFlow Serving's."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from headrace.serving.server.seam import State

from ..conftest import eventually


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        assert self.headers["content-type"] == "application/json"
        assert list(self.document) == ["error"]
        return self.status, self.document["error"]


def ask(address: str, verb: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
    connection = HTTPConnection(address, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(verb, path, body.encode() if isinstance(body, str) else body, named)
    response = connection.getresponse()
    head = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, head, response.read())
    connection.close()
    return answer


@pytest.fixture
def get(shared: Any) -> Callable[[str], Answer]:
    return lambda path: ask(shared.rest_address, "GET", path)


@pytest.fixture
def post(shared: Any) -> Callable[..., Answer]:
    def send(path: str, body: Any) -> Answer:
        text = body if isinstance(body, bytes | str) else json.dumps(body)
        return ask(shared.rest_address, "POST", path, text)

    return send


HALF = {"instances": [1.0, 2.0]}
HALF_ANSWER = b'{\n    "predictions": [2.5, 3.0\n    ]\n}'

# Routes


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/half:predict",
        "/v1/models/half/versions/1:predict",
        "/v1/models/half/versions/0001:predict",
        "/V1/MODELS/half/VERSIONS/1:predict",
        "/v1/models/%68alf:predict",
        "/v1/models/half:predict?x=1",
    ],
)
def test_predictions_have_their_routes(post: Any, path: str) -> None:
    answer = post(path, HALF)
    assert (answer.status, answer.body) == (200, HALF_ANSWER)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v1/foo"),
        ("POST", "/v1/foo"),
        ("GET", "/v1/"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/debug/model_name"),
        ("GET", "/v1/models/half:predict"),
        ("POST", "/v1/models/half"),
        ("POST", "/v1/models/half/metadata"),
        ("POST", "/v1/models/half:PREDICT"),
        ("POST", "/v1/models/half/version/50:regress"),
        ("POST", "/v1/models/half/versions/HELLO:regress"),
        ("POST", "/v1/models/half/label/l:regress"),
        ("POST", "/v1/models/half/versions/50/labels/l:regress"),
        ("PUT", "/v1/models/half:predict"),
        ("DELETE", "/v1/models/half"),
    ],
)
def test_what_is_no_route_is_malformed(shared: Any, verb: str, path: str) -> None:
    answer = ask(shared.rest_address, verb, path)
    assert answer.error == (400, f"Malformed request: {verb} {path}")


def test_no_model_is_told_apart_from_no_route(get: Any) -> None:
    assert get("/v1/models").error == (400, "Missing model name in request.")


@pytest.mark.parametrize("version", ["9223372036854775808", "18446744073709551615", "9" * 5000])
def test_a_version_is_a_64_bit_number(post: Any, version: str) -> None:
    answer = post(f"/v1/models/half/versions/{version}:predict", HALF)
    assert answer.error == (400, f"Failed to convert version: {version} to numeric.")


@pytest.mark.parametrize("path", ["/", "/index", "/v2/models/half", "/v1", "/favicon.ico"])
def test_other_paths_are_not_found(get: Any, path: str) -> None:
    answer = get(path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html"
    assert b"<H1>Not Found</H1>" in answer.body


def test_models_versions_and_labels_that_are_not_there(post: Any) -> None:
    assert post("/v1/models/none:predict", HALF).error == (
        404,
        "Servable not found for request: Latest(none)",
    )
    assert post("/v1/models/half/versions/9:predict", HALF).error == (
        404,
        "Servable not found for request: Specific(half, 9)",
    )
    assert post("/v1/models/half/labels/a%2Fb:predict", HALF).error == (
        400,
        "Unrecognized servable version label: a/b",
    )


def test_labels_name_versions(serve: Any, base_path: Any, tmp_path: Path) -> None:
    base = base_path("m", {1: "half", 2: "half_again"})
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable 1" value: 1 } } }'
    )
    early = "--allow_version_labels_for_unavailable_models"
    running = serve(f"--model_config_file={config}", early, rest=True)
    address = running.rest_address
    eventually(lambda: all(one.state is State.AVAILABLE for one in running.models.status("m")))
    for path, first in (("/labels/stable%201", 2.5), ("", 3.5), ("/versions/2", 3.5)):
        answer = ask(address, "POST", f"/v1/models/m{path}:predict", json.dumps(HALF))
        assert answer.document["predictions"][0] == first
    # A status call ignores the label.
    for path in ("", "/labels/stable%201", "/labels/other"):
        versions = ask(address, "GET", f"/v1/models/m{path}").document["model_version_status"]
        assert [one["version"] for one in versions] == ["2", "1"]


# Bodies


def test_a_compressed_body_is_read(shared: Any) -> None:
    body = gzip.compress(json.dumps(HALF).encode())
    path = "/v1/models/half:predict"
    answer = ask(shared.rest_address, "POST", path, body, Content_Encoding="gzip")
    assert answer.body == HALF_ANSWER
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"not compressed", "Failed to uncompress the gzipped body"),
        (gzip.compress(b"{}")[:-4], "Failed to uncompress the gzipped body"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(shared: Any, body: bytes, text: str) -> None:
    path = "/v1/models/half:predict"
    answer = ask(shared.rest_address, "POST", path, body, Content_Encoding="gzip")
    assert answer.error == (400, text)


def test_a_decompression_bomb_is_refused(shared: Any) -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    body = b"".join(bomb.compress(bytes(2**20)) for _ in range(101)) + bomb.flush()
    assert len(body) < 2**20
    path = "/v1/models/half:predict"
    answer = ask(shared.rest_address, "POST", path, body, Content_Encoding="gzip")
    assert answer.error == (
        400,
        "The body has more than 104857600 bytes when it is not compressed",
    )


def test_json_that_is_none_is_told(post: Any) -> None:
    predict = "/v1/models/half:predict"
    assert post(predict, "").error == (400, "JSON Parse error: The document is empty")
    assert post(predict, "instances = [1]").error == (
        400,
        "JSON Parse error: Invalid value. at offset: 0",
    )
    # JSON is read first, then the model is looked for.
    assert post("/v1/models/none:predict", "").error[0] == 400
    assert post(predict, b'{"instances": [1.0, 2.0]} and more').body == HALF_ANSWER


def test_text_that_is_not_utf_8_goes_through(post: Any) -> None:
    body = b'{"signature_name": "string", "instances": ["\xff"]}'
    answer = post("/v1/models/types:predict", body)
    assert answer.body == (
        b'{\n    "predictions": [\n        {\n            "y": "\xff",\n'
        b'            "y_bytes": {\n                "b64": "/w=="\n            }\n        }\n'
        b"    ]\n}"
    )
    missing = post("/v1/models/types:predict", b'{"signature_name": "\xff", "instances": [1]}')
    assert missing.status == 400


# Predict


def test_several_inputs_and_outputs(post: Any) -> None:
    two = {"signature_name": "two", "instances": [{"a": 1, "b": 2}, {"a": 3, "b": 5}]}
    # One output has no rows: the answer to rows cannot hold it, the one to columns can.
    assert post("/v1/models/half:predict", two).error == (
        400,
        "Tensor name: scale has no shape information ",
    )
    columns = {"signature_name": "two", "inputs": {"a": [1, 3], "b": [2, 5], "c": "ignored"}}
    answer = post("/v1/models/half:predict", columns)
    assert answer.document == {
        "outputs": {"sum": [3.0, 8.0], "difference": [-1.0, -2.0], "scale": 0.5}
    }


def test_columns_of_one_input(post: Any) -> None:
    answer = post("/v1/models/half:predict", {"inputs": [1.0, 2.0]})
    assert answer.body == b'{\n    "outputs": [\n        2.5,\n        3.0\n    ]\n}'
    assert post("/v1/models/half:predict", {"inputs": {"x": [1.0]}}).document == {"outputs": [2.5]}


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("float32", "[1, -0.5, 1e39, -Infinity, NaN, 0.1, 9000000]"),
        ("float64", "[1e300, 0.1, Infinity]"),
        ("int8", "[-128, 127]"),
        ("int16", "[-32768]"),
        ("int32", "[2147483647]"),
        ("int64", "[-9223372036854775808]"),
        ("uint8", "[255]"),
        ("uint32", "[4294967295]"),
        ("uint64", "[18446744073709551615]"),
        ("bool", "[true, false]"),
        ("string", '["a", "\\u00e9\\n"]'),
    ],
)
def test_each_type_goes_in_and_out(post: Any, signature: str, text: str) -> None:
    body = f'{{"signature_name": "{signature}", "inputs": {text}}}'
    echoed = post("/v1/models/types:predict", body).document["outputs"]["y"]
    expected = [math.inf if value == 1e39 else value for value in json.loads(text)]
    assert list(map(repr, echoed)) == [
        repr(float(value) if "float" in signature else value) for value in expected
    ]


@pytest.mark.parametrize("signature", ["half", "bfloat16", "uint16", "complex64"])
def test_types_that_json_does_not_send(post: Any, signature: str) -> None:
    body = {"signature_name": signature, "inputs": [1]}
    assert post("/v1/models/types:predict", body).error == (
        501,
        f"Conversion of JSON Value: 1 to type: {signature}",
    )


def test_signatures_that_are_not_there(post: Any) -> None:
    body = {"signature_name": "none", **HALF}
    assert post("/v1/models/half:predict", body).error == (
        400,
        'Serving signature name: "none" not found in signature def',
    )
    assert (
        "'signature_name' key must be a string value."
        in (post("/v1/models/half:predict", {"signature_name": 1}).error[1])
    )


def test_values_that_do_not_fit_are_told(post: Any) -> None:
    answer = post("/v1/models/half:predict", {"instances": [1, "x"]})
    assert answer.error == (
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "x" Type: String is not of expected type: float',
    )


def test_what_the_model_cannot_compute_is_the_clients_fault(post: Any) -> None:
    body = {"signature_name": "two", "inputs": {"a": [1, 2], "b": [1, 2, 3]}}
    status, text = post("/v1/models/half:predict", body).error
    assert status == 400
    assert "Incompatible shapes: [2] vs. [3]" in text
    assert "Traceback" not in text


def test_no_rows_come_back_as_no_rows(post: Any) -> None:
    answer = post("/v1/models/types:predict", {"signature_name": "float32", "inputs": []})
    assert answer.document == {"outputs": {"y": [], "y_bytes": []}}


def test_large_and_deep_requests_are_answered(post: Any) -> None:
    rows = post("/v1/models/half:predict", {"instances": [1.0] * 200_000})
    assert len(rows.document["predictions"]) == 200_000
    deep = '{"instances": [1.0, 2.0], "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert post("/v1/models/half:predict", deep).body == HALF_ANSWER
    # As many dimensions as numpy has; TensorFlow's graphs have more than enough with them.
    body = '{"signature_name": "float32", "inputs": ' + "[" * 65 + "1" + "]" * 65 + "}"
    assert post("/v1/models/types:predict", body).error == (400, "tensor parsing error: x")


# Classify and regress


def test_regress(post: Any) -> None:
    body = {"examples": [{"x": 80.0}, {"x": [20.0]}]}
    answer = post("/v1/models/examples:regress", body)
    assert answer.body == b'{\n    "results": [42.0, 12.0]\n}'


def test_classify_with_a_context(post: Any) -> None:
    body = {
        "signature_name": "classify",
        "context": {"b": 1.0},
        "examples": [{"x": 20.0}, {"x": 10.0, "other": ["text", {"b64": "YQ=="}]}],
    }
    answer = post("/v1/models/examples/versions/1:classify", body)
    assert answer.body == (
        b'{\n    "results": [[["low", -13.0], ["high", 13.0]], [["low", -8.0], ["high", 8.0]]\n'
        b"    ]\n}"
    )
    unlabelled = {"signature_name": "scores_only", "examples": [{"x": 20.0}]}
    assert post("/v1/models/examples:classify", unlabelled).document == {"results": [[["", 12.0]]]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"signature_name": ["a"], "examples": [{}]}', "'signature_name' key must be a string"),
        ('{"context": [{"x": 1}]}', "Example must be JSON object but got JSON Array"),
        ("{}", "key 'examples' is expected and was not found"),
        ('{"examples": {"x": 1}}', "Expecting 'examples' value to be an list/array"),
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"examples": [[{"x": 1}]]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"x": [1, null]}]}', "x has element with unexpected JSON type: Null"),
        ('{"examples": [{"x": [1, 1.0]}]}', "in feature: x expecting type: int64"),
        ('{"examples": [{"x": [1.0, true]}]}', "in feature: x expecting type: float"),
        ('{"examples": [{"x": ["a", 1]}]}', "in feature: x expecting type: bytes"),
        ('{"examples": [{"x": {"y": 1}}]}', "x has element with unexpected JSON type: Object"),
        ('{"examples": [{"x": [[1]]}]}', "x has element with unexpected JSON type: Array"),
        ('{"examples": [{"x": 18446744073709551603}]}', "Only int64_t is supported."),
        ('{"signature_name": "none", "examples": [{}]}', "signature"),
    ],
)
@pytest.mark.parametrize("method", ["classify", "regress"])
def test_examples_that_are_none_are_told(post: Any, method: str, body: str, text: str) -> None:
    status, message = post(f"/v1/models/examples:{method}", body).error
    assert status == 400
    assert text in message


# Status and metadata


def test_status(get: Any) -> None:
    expected = (
        b'{\n "model_version_status": [\n  {\n   "version": "1",\n   "state": "AVAILABLE",\n'
        b'   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )
    for path in ("/v1/models/half", "/v1/models/half/versions/1", "/v1/models/half/METADATA"):
        answer = get(path)
        assert (answer.status, answer.body) == (200, expected)
        assert answer.headers["content-type"] == "application/json"
    assert get("/v1/models/none").error == (404, "Could not find any versions of model none")
    assert get("/v1/models/half/versions/7").error == (
        404,
        "Could not find version 7 of model half",
    )


def test_metadata(get: Any) -> None:
    document = get("/v1/models/half/metadata").document
    assert document["model_spec"] == {"name": "half", "signature_name": "", "version": "1"}
    signatures = document["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["inputs"] == {
        "x": {
            "name": "serving_default_x:0",
            "dtype": "DT_FLOAT",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        }
    }
    assert signatures["two"]["method_name"] == "tensorflow/serving/predict"
    assert get("/v1/models/half/versions/1/metadata").document == document
    assert get("/v1/models/none/metadata").error == (
        404,
        "Servable not found for request: Latest(none)",
    )


# What flags change


def test_cors(serve: Any, base_path: Any, shared: Any) -> None:
    flags = f"--model_base_path={base_path('m', {1: 'half'})}", "--rest_api_enable_cors_support"
    address = serve("--model_name=m", *flags, rest=True).rest_address
    allowed = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST, GET",
        "access-control-allow-headers": "Content-Type",
    }
    for verb, path, origin, status in (
        ("OPTIONS", "/v1/models/m:predict", "https://page.example", 200),
        ("OPTIONS", "/v1/models/m:predict", "ftp://page.example", 400),
        ("GET", "/v1/models/m", "", 200),
        ("GET", "/v1/nothing", "", 400),
    ):
        answer = ask(address, verb, path, Origin=origin)
        assert answer.status == status
        assert answer.headers.items() >= allowed.items()
    preflight = ask(shared.rest_address, "OPTIONS", "/v1/models/half", Origin="http://a.example")
    assert preflight.status == 200
    assert not preflight.headers.keys() & allowed.keys()


def test_an_answer_that_takes_too_long(serve: Any, base_path: Any) -> None:
    flags = f"--model_base_path={base_path('m', {1: 'slow'})}", "--rest_api_timeout_in_ms=200"
    address = serve("--model_name=m", *flags, rest=True).rest_address
    answer = ask(address, "POST", "/v1/models/m:predict", '{"instances": [2000]}')
    assert answer.error == (504, "Timed out waiting for notification")
    # The port is not held up.
    assert ask(address, "GET", "/healthz").status == 200


def test_metrics_are_shown_only_where_they_are_asked_for(
    serve: Any, base_path: Any, tmp_path: Path, shared: Any
) -> None:
    assert ask(shared.rest_address, "GET", "/monitoring/prometheus/metrics").status == 404
    config = tmp_path / "monitoring.config"
    config.write_text('prometheus_config { enable: true path: "/metrics" }')
    base = base_path("m", {1: "half"})
    flags = f"--model_base_path={base}", f"--monitoring_config_file={config}"
    address = serve("--model_name=m", *flags, rest=True).rest_address
    assert ask(address, "POST", "/v1/models/m:predict", json.dumps(HALF)).status == 200
    assert ask(address, "POST", "/v1/models/m:predict", "").status == 400
    assert ask(address, "GET", "/v1/models/m").status == 200
    answer = ask(address, "GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain"
    base_name = ":tensorflow:serving:request"
    text = answer.body.decode()
    assert f'{base_name}_count{{model_name="m",status="OK"}} 2\n' in text
    assert f'{base_name}_count{{model_name="m",status="INVALID_ARGUMENT"}} 1\n' in text
    labels = 'model_name="m",API="predict",entrypoint="REST"'
    assert f"{base_name}_latency_count{{{labels}}} 1\n" in text
    labels = 'model_name="m",API="Predict",runtime="TF1"'
    assert f":tensorflow:serving:runtime_latency_count{{{labels}}} 1\n" in text


# What TensorFlow Serving does not have


def test_health_readiness_and_the_list_of_models(get: Any, shared: Any) -> None:
    assert get("/healthz").document == {"status": "alive"}
    assert get("/readyz").document == {"status": "ready"}
    listed = get("/models").document["models"]
    assert [one["name"] for one in listed] == shared.models.names()
    assert all(one["model_version_status"][0]["state"] == "AVAILABLE" for one in listed)
    assert ask(shared.rest_address, "POST", "/healthz").status == 405


def test_it_answers_over_ipv4_and_ipv6(shared: Any) -> None:
    port = shared.rest_address.rpartition(":")[2]
    for host in ("127.0.0.1", "[::1]"):
        assert ask(f"{host}:{port}", "GET", "/healthz").status == 200
