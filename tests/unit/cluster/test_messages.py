"""What people read of an answer, and what they never read."""

from __future__ import annotations

import pytest

from headrace.pipelines.cluster import errors
from headrace.pipelines.cluster.connection import Connection


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": "short", "code": 5, "message": "long\\nand wide"}', "long and wide"),
        ('{"error_message": "pods not found", "error_details": "stack"}', "pods not found"),
        ('{"other": 1}', '{"other": 1}'),
        ("upstream connect error", "upstream connect error"),
        ("<html><head><title>Sign &amp; in</title>", "“Sign & in”"),
        ("<!doctype HTML><p>", "a page without a title"),
        (b"\xff\xfe", "��"),
        ("", ""),
        (None, ""),
        ("x" * 1000, "x" * 400 + " …"),
    ],
)
def test_the_readable_part_of_an_answer(body, text):
    assert errors.answer_text(body) == text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 429, 500, 503])
def test_every_refusal_names_the_request_the_answer_and_a_fix(status):
    error = errors.refused(status, '{"message": "because"}', request="GET http://h/x")
    assert f"GET http://h/x was answered with {status}: because" in error.message
    assert error.fix
    assert error.status == status
    assert error.temporary == (status in {429, 500, 503})


def test_secrets_are_unreadable_wherever_they_appear(tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    connection = Connection(
        host="https://me:pass@h/pipeline/",
        token="t0ken",
        token_file=str(tmp_path / "token"),
        cookies="a=first; session=second",
        other_client_secret="cl1ent",
    )
    text = "t0ken from-file first second a=first; session=second cl1ent me:pass pass"
    assert connection.without_secrets(text) == "*** *** *** *** *** *** *** ***"
    assert connection.shown_url == "https://h/pipeline"


def test_a_connection_does_not_print_its_secrets():
    connection = Connection(host="h", token="t0ken", cookies="c=c00kie", other_client_secret="s3c")
    assert not any(secret in repr(connection) for secret in ("t0ken", "c00kie", "s3c"))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("kubeflow.example/pipeline/", "https://kubeflow.example/pipeline"),
        ("http://localhost:8888", "http://localhost:8888"),
    ],
)
def test_addresses(host, url):
    assert Connection(host=host).url == url
