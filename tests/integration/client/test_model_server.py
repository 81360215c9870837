"""Both protocols of a model server, against the embedded one on real ports."""

import subprocess
import sys

import numpy as np
import pytest

from headrace.serving.client import GrpcClient, RestClient, columns_of
from headrace.serving.gateway import errors


def connected(shared, protocol, deadline):
    if protocol == "grpc":
        return GrpcClient(shared.grpc_address, deadline=deadline)
    return RestClient(f"http://{shared.rest_address}", deadline=deadline)


@pytest.fixture(params=["grpc", "rest"])
def client(request, shared):
    with connected(shared, request.param, 60) as made:
        yield made


def test_arrays_go_in_and_arrays_come_out(client):
    answer = client.predict("half", {"x": np.array([2, 4], "float32")}, signature="serving_default")
    assert set(answer.outputs) == {"y"}
    np.testing.assert_array_equal(answer.outputs["y"], [3.0, 4.0])


def test_rows_go_in_and_rows_come_out(client):
    signature = client.signatures("half")["two"]
    columns = columns_of([{"a": 1, "b": 2}, {"a": 3.5, "b": 1}], signature)
    answer = client.predict("half", columns, signature="two", version=1)
    assert answer.version == 1
    assert answer.outputs["sum"].tolist() == [3.0, 4.5]
    assert answer.outputs["difference"].tolist() == [-1.0, 2.5]


@pytest.mark.parametrize(
    ("signature", "values"),
    [
        ("float32", np.array([0.1, np.nan, -np.inf], "float32")),
        ("float64", np.array([[0.1], [1e300]])),
        ("int8", np.array([-128, 127], "int8")),
        ("int64", np.array([-(2**63), 2**63 - 1], "int64")),
        ("uint64", np.array([2**64 - 1], "uint64")),
        ("bool", np.array([[True, False]])),
        ("string", np.array(["red", "é", ""], object)),
    ],
)
def test_every_value_survives_the_way_there_and_back(client, signature, values):
    answer = client.predict("types", {"x": values}, signature=signature)
    if values.dtype == object:
        values = np.array([text.encode() for text in values], object)
    for name in ("y", "y_bytes"):
        found = answer.outputs[name]
        assert found.shape == values.shape
        np.testing.assert_array_equal(found.astype(values.dtype), values)


def test_bytes_that_are_no_text_survive_too(client):
    answer = client.predict("types", {"x": np.array([b"\xff\x00"], object)}, signature="string")
    assert answer.outputs["y_bytes"].tolist() == [b"\xff\x00"]


def test_signatures_say_types_and_shapes(client):
    found = client.signatures("ragged")["serving_default"]
    assert found.inputs["x"].dtype == np.float32
    assert found.inputs["x"].shape == (None, None)
    assert client.signatures("types")["string"].inputs["x"].dtype.kind == "O"
    assert client.signatures("types")["string"].inputs["x"].shape is None


def test_states_of_versions(client):
    assert client.states("half") == {1: "AVAILABLE"}


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda c: c.predict("nobody", {"x": [1.0]}), errors.UnknownModelError, "nobody"),
        (
            lambda c: c.predict("half", {"x": [1.0]}, version=7),
            errors.UnknownModelError,
            r"Specific\(half, 7\)",
        ),
        (
            lambda c: c.predict("half", {"z": np.float32([1])}, signature="serving_default"),
            errors.InvalidRequestError,
            "x",
        ),
        (
            lambda c: c.predict("types", {"x": np.array(["a"], object)}, signature="float32"),
            errors.InvalidRequestError,
            "(?i)float|string",
        ),
    ],
    ids=["model", "version", "input", "type"],
)
def test_what_the_server_says_is_told(client, call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call(client)
    assert caught.value.fix


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_deadline_ends_a_call(shared, protocol):
    steps = {"steps": np.array([20_000])}
    with (
        connected(shared, protocol, 0.2) as client,
        pytest.raises(errors.DeadlineError, match=r"within 0\.2 seconds"),
    ):
        client.predict("slow", steps, signature="serving_default")


def test_both_protocols_give_the_same_rows(shared):
    values = {"x": np.float32([0.1, 1 / 3, 1e-7])}
    with connected(shared, "grpc", 60) as one, connected(shared, "rest", 60) as other:
        first = one.predict("half", values, signature="serving_default")
        second = other.predict("half", values, signature="serving_default")
    np.testing.assert_allclose(first.outputs["y"], second.outputs["y"], rtol=1e-6)


def test_asking_needs_no_tensorflow(shared):
    script = f"""
import sys
from headrace.serving.client import GrpcClient, RestClient
for client in (GrpcClient({shared.grpc_address!r}), RestClient("http://{shared.rest_address}")):
    with client:
        answer = client.predict("half", {{"x": __import__("numpy").float32([2])}},
                                signature="serving_default")
        assert answer.outputs["y"].tolist() == [3.0]
loaded = [name for name in ("tensorflow", "polars", "pandas", "feast") if name in sys.modules]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
