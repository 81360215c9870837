"""The gateway in front of the embedded model server with a real SavedModel."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.feature_store.local_redis import free_port

from .rides import MODEL, RIDE, Running, predict, push, until

EXPORT = Path(__file__).with_name("make_model.py")


class Server:
    """The embedded server as users start it."""

    def __init__(self, base_path):
        self.port = free_port()
        options = [f"--model_name={MODEL}", f"--model_base_path={base_path}"]
        command = [sys.executable, "-m", "headrace.serving.server", *options]
        self._process = subprocess.Popen([*command, f"--port={self.port}"])

    def stop(self):
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture
def running(tmp_path, repo):
    subprocess.run([sys.executable, str(EXPORT), str(tmp_path)], check=True)
    push(tmp_path, repo, graph=tmp_path / "export-1")
    server = Server(tmp_path / "models" / MODEL)
    yield Running(tmp_path, repo, server)
    server.stop()


def test_predictions_are_the_models_and_a_new_version_takes_over_without_a_failure(running):
    rows = [RIDE, RIDE | {"driver_id": 2}, {**RIDE, "rider_id": None}]
    scores = [38.625, 5.125, 34.625]
    with running.serving() as client, concurrent.futures.ThreadPoolExecutor(4) as pool:
        until(lambda: client.get("/readyz").status_code == 200, seconds=90)
        swapped = False

        def ask(number):
            answers = []
            while not swapped:
                answers.append(predict(client, *rows))
            return answers

        asking = [pool.submit(ask, number) for number in range(2)]
        push(running.folder, running.repo, graph=running.folder / "export-2")
        try:
            until(lambda: client.get("/v1/models").json()["models"][0]["version"] == 2, seconds=60)
        finally:
            swapped = True
        answers = [answer for future in asking for answer in future.result()]
        answers.append(predict(client, *rows))
    assert {answer.status_code for answer in answers} == {200}
    bodies = [answer.json() for answer in answers]
    assert {body["model"]["version"] for body in bodies} == {1, 2}
    for body in bodies:
        got = [row["outputs"]["score"] for row in body["predictions"]]
        expected = [score * body["model"]["version"] for score in scores]
        assert got == pytest.approx(expected, abs=1e-6)
