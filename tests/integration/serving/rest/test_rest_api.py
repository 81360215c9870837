"""The REST API of a running server: routes, bodies, status, what flags change."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from headrace.serving.server.seam import State
from tests.support.waiting import eventually

from .client import HALF, HALF_ANSWER, ask

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
        (gzip.compress(b"{}", mtime=0)[:-4], "Failed to uncompress the gzipped body"),
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
