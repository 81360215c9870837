"""``headrace predict``, as people and programs use it."""

import json

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.components.shared.errors import ConfigError
from headrace.serving.gateway.errors import InvalidRequestError
from tests.integration.gateway.rides import MODEL, RIDE

ROWS = '[{"a": 1, "b": 2}, {"a": 3, "b": 0.5}]'


def invoke(*words, text=None):
    result = CliRunner().invoke(app, ["predict", *map(str, words)], input=text)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(params=["grpc", "rest"])
def server(request, shared):
    """The words that name the server."""
    address = shared.grpc_address if request.param == "grpc" else f"http://{shared.rest_address}"
    return request.param, f"--server={address}"


def ask(server, model, rows, *options, text=None):
    protocol, place = server
    return invoke(protocol, model, rows, place, "--deadline=60", *options, text=text)


def test_a_table_for_people(server):
    shown = ask(server, "half", ROWS, "--signature=two")
    assert "half" in shown
    assert [line.split() for line in shown.splitlines()[-2:]] == [
        ["0", "-1", "0.5", "3"],
        ["1", "2.5", "0.5", "3.5"],
    ]


def test_json_for_programs(server, tmp_path):
    (tmp_path / "rows.json").write_text(ROWS)
    shown = ask(server, "half", f"@{tmp_path}/rows.json", "--signature=two", "--json")
    document = json.loads(shown)
    assert document["model"] == "half"
    assert [row["sum"] for row in document["predictions"]] == [3.0, 3.5]
    piped = ask(server, "half", "-", "--signature=two", "--json", "--version=1", text=ROWS)
    assert json.loads(piped)["predictions"] == document["predictions"]


def test_the_gateway_is_asked_for_entities(running):
    with running.serving() as http:
        words = ("gateway", MODEL, json.dumps(RIDE), f"--server={http.base_url}", "--deadline=60")
        assert "38.625" in invoke(*words)
        document = json.loads(invoke(*words, "--json"))
    assert document["version"] == 1
    assert document["rows"][0]["outputs"]["score"] == 38.625


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{", "ROWS is no JSON"),
        ("[]", "must be an object, or a list with at least one"),
        ("@/no/such/file", "/no/such/file cannot be read"),
    ],
)
def test_rows_that_cannot_be_read_are_named(rows, message):
    with pytest.raises(ConfigError, match=message):
        invoke("grpc", "half", rows)


def test_a_misspelt_input_gets_a_hint(shared):
    with pytest.raises(InvalidRequestError, match="Row 0 has 'aa'"):
        ask(("grpc", f"--server={shared.grpc_address}"), "half", '{"aa": 1}', "--signature=two")


def test_a_misspelt_signature_gets_a_hint(shared):
    with pytest.raises(ConfigError, match="no signature 'tow'") as caught:
        ask(("grpc", f"--server={shared.grpc_address}"), "half", "{}", "--signature=tow")
    assert "'two'" in caught.value.fix
