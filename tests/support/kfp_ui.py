"""How KFP's user interface shows artifacts.

Written after frontend/src/components/viewers of kubeflow/pipelines: ``MetricsVisualizations`` reads
the metadata of metrics, ``HTMLViewer`` puts a page into a sandboxed frame, ``MarkdownViewer``
renders Markdown without HTML in it.
"""

from __future__ import annotations

import http.server
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, model_validator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
#: Characters of Markdown that are shown; the interface cuts the rest off.
MARKDOWN_LIMIT = 50 * 1000 * 8
#: Seconds for the browser to start and to draw.
_PATIENCE = 60

#: Put into each frame: nothing may be loaded from elsewhere, and what happens is told the parent.
_PROBE = """
<meta http-equiv="Content-Security-Policy" content="default-src 'unsafe-inline' data:">
<script>
  const seen = {name: NAME, errors: [], blocked: []};
  addEventListener("error", (event) => seen.errors.push(String(event.message)));
  addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
  addEventListener("securitypolicyviolation", (event) => seen.blocked.push(event.blockedURI));
  // Told once the content has a size: the frame gets its own only when it is drawn.
  addEventListener("load", () => new ResizeObserver((_, observer) => {
    if (!document.body.scrollHeight) return;
    observer.disconnect();
    seen.text = document.body.innerText;
    seen.height = document.body.scrollHeight;
    parent.postMessage(seen, "*");
  }).observe(document.body));
</script>
"""
_PAGE = """<!doctype html><body><script>
  const pages = PAGES, answers = [];
  addEventListener("message", (event) => {
    answers.push(event.data);
    if (answers.length === Object.keys(pages).length)
      fetch("/", {method: "POST", body: JSON.stringify(answers)});
  });
  for (const page of Object.values(pages)) {
    const frame = document.createElement("iframe");
    frame.src = "about:blank";
    frame.sandbox = "allow-scripts";
    // One above the other: Chromium does not lay out what is outside the window.
    frame.style = "position: absolute; top: 0; left: 0; width: 100%; min-height: 600px";
    document.body.append(frame);
    frame.srcdoc = page;
  }
</script></body>"""


@dataclass(frozen=True)
class Frame:
    """A page in the interface's frame.

    Attributes:
        text: What a person can read.
        height: Pixels that the content takes.
        errors: Errors of its scripts.
        blocked: What it wanted to load from elsewhere.
    """

    text: str
    height: int
    errors: list[str]
    blocked: list[str]


def show(pages: Mapping[str, str], folder: Path) -> dict[str, Frame]:
    """Opens HTML pages in Chromium, each in a frame as the interface makes it.

    Args:
        pages: HTML by name.
        folder: For the browser's files.
    """
    probed = {
        name: page.replace("<head>", "<head>" + _PROBE.replace("NAME", json.dumps(name)), 1)
        for name, page in pages.items()
    }
    text = json.dumps(probed).replace("</", "<\\/")
    answers = _visit(_PAGE.replace("PAGES", text), folder)
    return {answer.pop("name"): Frame(**answer) for answer in answers}


def _visit(page: str, folder: Path) -> list[dict[str, Any]]:
    """Opens a page in the browser; what it posts back."""
    posted: queue.Queue[bytes] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(page.encode() if self.path == "/" else b"")

        def do_POST(self) -> None:
            posted.put(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keeps the tests' output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        options += ["--remote-debugging-port=0", f"--user-data-dir={folder}/browser"]
        command = [str(CHROMIUM), *options, f"http://127.0.0.1:{server.server_port}/"]
        log = folder / "browser.log"
        with log.open("wb") as stream, subprocess.Popen(command, stderr=stream) as browser:
            try:
                answers: list[dict[str, Any]] = json.loads(posted.get(timeout=_PATIENCE))
            except queue.Empty:
                raise AssertionError(f"a frame stayed empty:\n{log.read_text()}") from None
            finally:
                browser.terminate()
                server.shutdown()
    return answers


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Point(_Strict):
    confidenceThreshold: FiniteFloat
    falsePositiveRate: FiniteFloat
    recall: FiniteFloat


class _Points(_Strict):
    list: list[_Point]


class _Label(_Strict):
    displayName: str


class _Row(_Strict):
    row: list[FiniteFloat]


class _Matrix(_Strict):
    annotationSpecs: list[_Label]
    rows: list[_Row]

    @model_validator(mode="after")
    def _square(self) -> _Matrix:
        if {len(self.annotationSpecs), *(len(row.row) for row in self.rows)} != {len(self.rows)}:
            raise ValueError("not as many columns or labels as rows")
        return self


class _Struct(_Strict):
    struct: _Matrix


class Classification(_Strict):
    """Metadata of ClassificationMetrics, as the metadata store keeps it."""

    confidenceMetrics: _Points
    confusionMatrix: _Struct

    def roc(self) -> list[tuple[float, float]]:
        """False positive rate and recall of each point."""
        return [(point.falsePositiveRate, point.recall) for point in self.confidenceMetrics.list]

    def matrix(self) -> dict[str, list[float]]:
        """True label to how often each label was predicted."""
        matrix = self.confusionMatrix.struct
        names = [label.displayName for label in matrix.annotationSpecs]
        return dict(zip(names, (row.row for row in matrix.rows), strict=True))


def markdown_tokens(text: str) -> list[Any]:
    """The parts of a Markdown text; HTML in it stays text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").parse(text)
