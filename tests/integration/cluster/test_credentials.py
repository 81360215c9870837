"""How commands identify themselves, and that secrets stay where they are."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.components.shared.errors import ConfigError

COMMANDS = [
    ("submit",),
    ("upload",),
    ("schedule", "create"),
    ("schedule", "list"),
    ("schedule", "enable"),
    ("schedule", "disable"),
    ("schedule", "delete"),
    ("remote", "list"),
    ("remote", "show"),
    ("remote", "watch"),
    ("remote", "logs"),
    ("remote", "retry"),
    ("remote", "terminate"),
]
SECRETS = {
    "HEADRACE_KFP_TOKEN": "t0ken",
    "HEADRACE_KFP_COOKIES": "authservice_session=c00kie",
    "HEADRACE_KFP_OTHER_CLIENT_SECRET": "cl1entsecret",
}


def sent(server, header):
    return {request.headers.get(header) for request in server.requests}


@pytest.mark.parametrize("by", ["option", "variable", "file", "kfp's own variable"])
def test_a_token_goes_with_every_request(done, server, monkeypatch, tmp_path, by):
    server.token = "t0ken"
    (tmp_path / "token").write_text("t0ken\n")
    words = {"option": ["--token", "t0ken"], "file": ["--token-file", tmp_path / "token"]}
    if by == "variable":
        monkeypatch.setenv("HEADRACE_KFP_TOKEN", "t0ken")
    if by == "kfp's own variable":
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    done("remote", "list", *words.get(by, []))
    assert sent(server, "Authorization") == {"Bearer t0ken"}


def test_a_token_file_is_read_again_while_a_command_waits(command, server, tmp_path):
    file = tmp_path / "token"
    file.write_text("old")
    run = server.add_run("r", *[("RUNNING", {})] * 4, ("SUCCEEDED", {}))
    read = server.get_run

    def rotate(**request):
        server.token = "new"
        file.write_text("new")
        return read(**request)

    server.token = "old"
    server.get_run = rotate
    words = ("remote", "watch", run.run_id, "--every", "0.01", "--token-file", file)
    assert command(*words).exit_code == 0
    assert sent(server, "Authorization") == {"Bearer old", "Bearer new"}


def test_cookies_go_with_every_request(done, server, monkeypatch):
    monkeypatch.setenv("HEADRACE_KFP_COOKIES", "authservice_session=abc")
    done("remote", "list")
    assert sent(server, "Cookie") == {"authservice_session=abc"}


def test_a_namespace_is_named_where_kfp_asks_for_it(done, refused, server, project):
    server.multi_user = True
    error = refused("submit", project)
    assert isinstance(error, ConfigError)
    assert "has several users, and no namespace is named" in error.message
    assert "HEADRACE_KFP_NAMESPACE" in error.fix
    assert server.experiments == {}
    done("submit", project, "--namespace", "team")
    (experiment,) = server.experiments.values()
    assert experiment.namespace == "team"


def test_a_namespace_does_no_harm_with_one_user(done, server, project):
    """Such a server refuses lists of a namespace; the option may come from the environment."""
    done("submit", project, "--namespace", "team")
    assert len(done("remote", "list", "--namespace", "team").splitlines()) == 2


def test_the_namespace_of_kfps_own_settings_is_used(done, server, project, tmp_path):
    (tmp_path / "context.json").write_text('{"namespace": "saved"}')
    done("remote", "list")
    server.multi_user = True
    done("submit", project)
    (experiment,) = server.experiments.values()
    assert experiment.namespace == "saved"


def test_settings_of_kfp_that_cannot_be_read(refused, tmp_path):
    (tmp_path / "context.json").write_text("{")
    error = refused("remote", "list")
    assert "KFP's client cannot be made for http://127.0.0.1" in error.message
    assert str(tmp_path / "context.json") in error.fix


def test_without_a_host_there_is_a_way_to_get_one(refused, monkeypatch):
    monkeypatch.delenv("HEADRACE_KFP_HOST")
    error = refused("remote", "list")
    assert isinstance(error, ConfigError)
    assert "kubectl port-forward -n kubeflow svc/ml-pipeline 8888" in error.fix


@pytest.mark.parametrize("option", ["--token-file", "--ssl-ca-cert"])
def test_a_file_that_is_not_there(refused, option, tmp_path):
    error = refused("remote", "list", option, tmp_path / "none")
    assert isinstance(error, ConfigError)
    assert error.message == f"{option} {tmp_path / 'none'} is not a file."


def test_identity_aware_proxy_without_google_credentials(refused, monkeypatch):
    def fail(*secrets):
        raise ValueError(f"cannot use {secrets}")

    monkeypatch.setattr("kfp.client.auth.get_auth_token", fail)
    error = refused(
        *("remote", "list", "--client-id", "iap", "--other-client-id", "me"),
        *("--other-client-secret", "cl1entsecret"),
    )
    assert "No credentials for http://127.0.0.1" in error.message
    assert "cl1entsecret" not in str(error)
    assert "--client-id" in error.fix


def test_an_identity_aware_proxys_token_is_used(done, server, monkeypatch):
    monkeypatch.setattr("kfp.client.auth.get_auth_token", lambda *_: ("from-google", False))
    done("remote", "list", "--client-id", "iap")
    assert sent(server, "Authorization") == {"Bearer from-google"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_shows_variables_and_no_values(words):
    result = CliRunner().invoke(app, [*words, "--help"], env={**SECRETS, "COLUMNS": "300"})
    assert result.exit_code == 0
    assert "HEADRACE_KFP_HOST" in result.output
    assert "HEADRACE_KFP_TOKEN" in result.output
    assert not any(secret in result.output for secret in ("t0ken", "c00kie", "cl1entsecret"))


def test_errors_hide_every_secret(refused, server, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    answer = '{"message": "t0ken and c00kie and cl1entsecret and p4ssword"}'
    server.fail("/healthz", status=403, body=answer)
    host = server.url.replace("http://", "http://me:p4ssword@")
    error = refused("remote", "list", "--host", host)
    assert error.message.endswith("403: *** and *** and *** and ***")
    assert f"GET {server.url}/apis" in error.message
