"""``python -m headrace.serving.server``: from the command line to a running server."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Sequence

from rich.console import Console

from headrace.serving.server.config import flags

#: How long requests under way may take when the server is told to end.
GRACE_SECONDS = 30.0


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or SIGINT; requests under way are answered first.

    Returns:
        Exit status: 0, or 1 when the server could not start.
    """
    given = flags.parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    console = Console(stderr=True)
    console.print("Importing TensorFlow, this takes some seconds…")
    # TensorFlow must see its environment before it is imported.
    import headrace.components.shared.tensorflow_env  # noqa: F401
    from headrace.serving.server.app import Server
    from headrace.serving.server.errors import ServingError

    gc.freeze()  # looking through TensorFlow's modules for garbage would hold up requests
    if given.version:
        print(_versions())
        return 0
    failures: list[ServingError] = []

    def start() -> None:
        try:
            server.start()
        except ServingError as error:
            failures.append(error)
            server.stop(0)
            ended.set()

    try:
        server = Server(given)
        console.print("Loading models; ports open when all of them are available…")
        # A base path without versions is waited for, and a signal must still be heard.
        threading.Thread(target=start, name="start", daemon=True).start()
        ended.wait()
    except ServingError as error:
        failures.append(error)
    if failures:
        print(f"Failed to start server. Error: {failures[0]}", file=sys.stderr)
        return 1
    console.print("Ending: requests under way are answered first…")
    server.stop(GRACE_SECONDS)
    return 0


def _versions() -> str:
    import tensorflow as tf

    from headrace import __version__

    return f"Headrace ModelServer: {__version__}\nTensorFlow Library: {tf.__version__}"
