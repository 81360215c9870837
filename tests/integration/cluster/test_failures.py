"""Servers that refuse, fail, hang or are something else: what people read then."""

from __future__ import annotations

import socket
import ssl

import pytest

from headrace.pipelines.cluster import transport
from headrace.pipelines.cluster.errors import ClusterError
from tests.support.certificates import certificate

LOGIN = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>…</body></html>"


def test_credentials_that_are_not_accepted(refused, server):
    server.token = "right"
    error = refused("remote", "list", "--token", "wr0ng-secret")
    assert isinstance(error, ClusterError)
    assert error.status == 401
    assert "does not accept the credentials" in error.message
    assert f"GET {server.url}/apis/v2beta1/healthz" in error.message
    # The server repeats what it got; people do not see it.
    assert "bad credentials: Bearer ***" in error.message
    assert "wr0ng-secret" not in str(error)
    assert "HEADRACE_KFP_TOKEN" in error.fix
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "message", "fix"),
    [
        (403, "does not allow it", "--namespace"),
        (404, "does not find it", "often ends in /pipeline"),
        (400, "refuses", "what the answer names"),
        (413, "refuses", "too large"),
    ],
)
def test_refusals_say_what_was_answered_and_what_to_do(refused, server, status, message, fix):
    server.fail("/runs", status=status, body='{"message": "no [such] thing"}')
    error = refused("remote", "list")
    assert error.status == status
    assert f"The server {message}: GET {server.url}/apis/v2beta1/runs was answered" in error.message
    assert error.message.endswith(f"with {status}: no [such] thing")
    assert fix in error.fix
    assert server.asked("GET", "/runs") == 1


def test_a_name_that_is_taken(refused, server, project):
    server.fail("/recurringruns", method="POST", status=409, body='{"error": "name exists"}')
    error = refused("schedule", project, "--interval", 60)
    assert "says that it exists already" in error.message
    assert "name exists" in error.message
    assert "Choose another name" in error.fix


@pytest.mark.parametrize("how", [{"status": 503}, {"status": 500}, {"status": 429}, {"drop": True}])
def test_reading_is_repeated_while_that_may_help(done, server, how):
    server.fail("/runs", times=transport.ATTEMPTS - 1, **how)
    server.add_run("mine", ("RUNNING", {}))
    assert "mine" in done("remote", "list")
    assert server.asked("GET", "/runs") == transport.ATTEMPTS


def test_a_server_that_stays_broken(refused, server):
    server.fail("/runs", times=100, status=502, body="<html><title>Bad Gateway</title></html>")
    error = refused("remote", "list")
    assert "The server fails" in error.message
    assert "502: “Bad Gateway”" in error.message
    assert "kubectl logs -n kubeflow deployment/ml-pipeline" in error.fix
    assert server.asked("GET", "/runs") == transport.ATTEMPTS


def test_a_run_is_never_created_twice(refused, server, project):
    server.fail("/runs", method="POST", status=503, after=True)
    refused("submit", project)
    assert server.asked("POST", "/runs$") == 1
    assert len(server.runs) == 1


def test_silence_after_creating_says_where_to_look(refused, server, project):
    server.fail("/runs", method="POST", hang=2.0, after=True)
    error = refused("submit", project, "--timeout", 0.3)
    assert "no answer within 0.3 s" in error.message
    assert "It may have been done: look with `headrace remote list`." in error.fix
    assert server.asked("POST", "/runs$") == 1


@pytest.mark.parametrize("action", ["terminate", "retry"])
def test_actions_are_repeated_only_when_twice_is_as_once(command, server, action):
    state = "RUNNING" if action == "terminate" else "FAILED"
    server.add_run("r", (state, {}))
    server.fail(f":{action}", times=1, status=503)
    result = command("remote", action, "r")
    assert server.asked("POST", f":{action}") == (2 if action == "terminate" else 1)
    assert (result.exit_code == 0) == (action == "terminate")


def test_a_server_that_does_not_answer(refused, server):
    server.fail("/healthz", hang=2.0)
    error = refused("remote", "list", "--timeout", 0.2)
    assert f"GET {server.url}/apis/v2beta1/healthz: no answer within 0.2 s" in error.message
    assert error.fix == "Allow more time with --timeout."


def test_nobody_listens(refused):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = refused("remote", "list", "--host", f"http://127.0.0.1:{port}")
    assert "no connection" in error.message
    assert "Connection refused" in error.message
    assert "kubectl port-forward" in error.fix


def test_a_host_that_is_not_known(refused):
    error = refused("remote", "list", "--host", "http://nowhere.invalid")
    assert "this host name is not known" in error.message
    assert "HEADRACE_KFP_HOST" in error.fix


def test_a_login_page(refused, server):
    server.fail("/healthz", status=200, body=LOGIN, content_type="text/html")
    error = refused("remote", "list")
    assert "a web page instead of JSON: “Sign in”" in error.message
    assert "login page" in error.fix
    assert "--cookies" in error.fix
    assert "/pipeline" in error.fix


def test_a_server_of_another_kind(refused, server):
    server.fail("/healthz", status=200, body="ok", content_type="text/plain")
    error = refused("remote", "list")
    assert "was answered with a text instead of JSON: ok" in error.message


def test_a_redirect_to_a_login_page_is_not_followed(refused, server):
    to = {"Location": "https://login.example/dex?state=s3cret"}
    server.fail("/healthz", status=302, body="", headers=to)
    error = refused("remote", "list")
    assert "a redirect to https://login.example/dex." in error.message
    assert "s3cret" not in str(error)
    assert "--cookies" in error.fix


def test_certificates_that_nobody_trusts(done, refused, server, tmp_path):
    key, trusted = tmp_path / "key.pem", tmp_path / "cert.pem"
    for path, text in zip((key, trusted), certificate(), strict=True):
        path.write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, key)
    server.wrap(context)
    error = refused("remote", "list", "--host", server.url)
    assert "no trusted TLS connection" in error.message
    assert "--ssl-ca-cert" in error.fix
    assert server.requests == []
    assert "No runs" in done("remote", "list", "--host", server.url, "--ssl-ca-cert", trusted)
    assert "No runs" in done("remote", "list", "--host", server.url, "--insecure")


def test_https_to_a_server_without_it(refused, server):
    error = refused("remote", "list", "--host", server.url.replace("http://", "https://"))
    assert "no trusted TLS connection" in error.message
    assert "http://" in error.fix
