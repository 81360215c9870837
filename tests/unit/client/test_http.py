"""What is asked again and what is not, against real sockets."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from headrace.serving.client.http import Http
from headrace.serving.gateway import errors


class Server:
    """Answers from a list: a status with a document, "drop" to hang up, "wait" for no answer."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.connections = set()
        self.ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.requests.append(self.rfile.read(int(self.headers["content-length"])))
                outer.connections.add(self.client_address)
                outer.authorization = self.headers.get("authorization")
                answer = outer.answers.pop(0)
                if answer == "wait":
                    outer.ended.wait(20)
                if answer in ("drop", "wait"):
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                status, document = answer
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.httpd.server_port}/"

    def close(self):
        self.ended.set()
        self.httpd.shutdown()
        self.httpd.server_close()


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        servers.append(Server(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ask(server, *, deadline=20.0, token=None):
    http = Http(server.url, deadline=deadline, token=token)
    try:
        return http.ask("POST", "/v1/models/m:predict", b"{}").json()
    finally:
        http.close()


def test_connections_are_kept(serve):
    server = serve(*[(200, {"n": n}) for n in range(3)])
    http = Http(server.url, deadline=20)
    assert [http.ask("POST", "/x", b"{}").json()["n"] for _ in range(3)] == [0, 1, 2]
    assert len(server.connections) == 1
    http.close()


def test_a_busy_server_and_a_lost_connection_are_asked_again(serve):
    server = serve((503, {"error": "not yet"}), "drop", (200, {"fine": True}))
    assert ask(server) == {"fine": True}
    assert server.requests == [b"{}"] * 3


def test_three_attempts_are_all_and_the_last_answer_is_told(serve):
    server = serve(*[(503, {"error": f"not yet {n}", "fix": "Wait."}) for n in range(4)])
    with pytest.raises(errors.ModelServerError, match="answers 503: not yet 2") as caught:
        ask(server)
    assert caught.value.fix == "Wait."
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.UnauthenticatedError),
        (404, errors.UnknownModelError),
        (429, errors.RateLimitedError),
        (500, errors.PredictionError),
    ],
)
def test_a_refusal_is_not_asked_again(serve, status, kind):
    server = serve((status, {"error": "Input x is wrong"}), (200, {}))
    with pytest.raises(kind, match=f"answers {status}: Input x is wrong"):
        ask(server)
    assert len(server.requests) == 1


def test_what_takes_too_long_is_not_asked_again(serve):
    server = serve("wait", (200, {}))
    with pytest.raises(errors.DeadlineError, match=r"did not answer within 0\.3 seconds"):
        ask(server, deadline=0.3)
    assert len(server.requests) == 1


def test_an_error_page_is_cut_to_its_first_line(serve):
    with pytest.raises(errors.PredictionError, match="answers 502") as caught:
        ask(serve((502, b"<html>\n<p>Bad gateway</p>")))
    assert caught.value.message.endswith("answers 502: <html>")


def test_the_token_is_sent(serve):
    server = serve((200, {}))
    ask(server, token="secret")
    assert server.authorization == "Bearer secret"
