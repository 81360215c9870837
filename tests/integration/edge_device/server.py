"""A server of plain files with byte ranges, which counts what it sends and can be made to fail."""

import re
import threading
import time
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CHUNK = 1 << 14


def until(condition: Callable[[], object]) -> None:
    """Waits for what is about to become true."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


class FileServer:
    """Serves a folder on a port of its own.

    Attributes:
        sent: Bytes of bodies, by path.
        asked: Paths in the order of the requests.
        cut: Bytes after which a connection breaks, by path; each applies once.
        pause: Seconds between two chunks of 16 KiB.
        down: Answer 503 to everything.
        ranges: Whether byte ranges are known.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.sent: dict[str, int] = {}
        self.asked: list[str] = []
        self.cut: dict[str, int] = {}
        self.pause = 0.0
        self.down = False
        self.ranges = True
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler(folder))
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, folder: Path) -> type[SimpleHTTPRequestHandler]:
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                path = folder / self.path.lstrip("/")
                if outer.down or not path.is_file():
                    self.send_error(503 if outer.down else 404)
                    return
                outer._send(self, path.read_bytes())

            def log_message(self, *words: object) -> None:
                pass

        return Handler

    def _send(self, handler: SimpleHTTPRequestHandler, content: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(asked[1]) if asked and self.ranges else 0
        body = content[start:]
        handler.send_response(206 if asked and self.ranges else 200)
        if asked and self.ranges:
            last = len(content) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        # A connection that breaks: fewer bytes than were promised.
        body = body[: self.cut.pop(handler.path, len(body))]
        try:
            for begin in range(0, len(body), _CHUNK):
                chunk = body[begin : begin + _CHUNK]
                handler.wfile.write(chunk)
                self.sent[handler.path] = self.sent.get(handler.path, 0) + len(chunk)
                time.sleep(self.pause)
        except OSError:  # the client has gone
            pass
        handler.close_connection = True
