"""Where bundles come from: any server of plain files, or a folder."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

import httpx
import tenacity

from headrace.serving.edge.bundle import MANIFEST, POINTER, SIGNATURE, BundleError, read_pointer
from headrace.serving.edge.bundle.manifest import File
from headrace.serving.edge.device.errors import UpdateError

_ATTEMPTS = 5
_CHUNK = 1 << 16
#: Larger than any manifest, so that a server cannot fill the device's memory.
_LARGEST = 1 << 22


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status == httpx.codes.TOO_MANY_REQUESTS or status >= 500
    return isinstance(error, httpx.TransportError)


_again = tenacity.retry(
    retry=tenacity.retry_if_exception(_may_pass),
    stop=tenacity.stop_after_attempt(_ATTEMPTS),
    wait=tenacity.wait_random_exponential(0.2, max=5),
    reraise=True,
)


class Source:
    """The folder ``edge`` beside a pushed model.

    Args:
        url: Its address: ``http://``, ``https://`` or ``file://``.
        timeout: Seconds without a byte after which a connection is given up.
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self.url = url.rstrip("/")
        # httpx takes an address without a host for a relative one.
        self._base = re.sub("^file:///", "file://localhost/", self.url)
        #: Bytes of files that this object has received.
        self.transferred = 0
        self._client = httpx.Client(
            timeout=timeout,
            follow_redirects=True,
            mounts={"file://": _Folder()},
            # A compressed answer would have other byte positions, and can be a bomb.
            headers={"accept-encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def latest(self) -> int:
        """The newest version, as the server says.

        Raises:
            UpdateError: the server does not answer.
            BundleError: it does not name a version.
        """
        return read_pointer(self._small(POINTER), where=f"{self.url}/{POINTER}")

    def manifest(self, version: int) -> tuple[bytes, bytes]:
        """The bytes of a version's manifest and of its signature; nothing is checked yet.

        Raises:
            UpdateError: the server does not answer, or has no such version.
        """
        return self._small(f"{version}/{MANIFEST}"), self._small(f"{version}/{SIGNATURE}")

    def fetch(self, name: str, expected: File, part: Path, target: Path) -> None:
        """Gets one file; what an earlier attempt left in ``part`` is not transferred again.

        Args:
            name: Path below the folder ``edge``.
            expected: What the signed manifest says of the file.
            part: What has arrived of it.
            target: Where the whole file goes, once it is the one that was signed.

        Raises:
            UpdateError: the server does not answer; ``part`` stays for the next time.
            BundleError: the file is not the one that was signed.
        """
        part.parent.mkdir(parents=True, exist_ok=True)
        with self._reaching(name):
            self._append(name, expected.bytes, part)
        if File.of(part) != expected:
            part.unlink()
            raise BundleError(
                f"{self.url}/{name} is not the file that was signed.",
                fix="It was changed on the way or on the server: update again, or push again.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)

    @_again
    def _append(self, name: str, size: int, part: Path) -> None:
        """Continues ``part`` up to ``size`` bytes; a server that sends more is not listened to."""
        have = part.stat().st_size if part.exists() else 0
        if have == size:
            part.touch()
            return
        headers = {"range": f"bytes={have}-"} if have else {}
        with (
            self._client.stream("GET", self._address(name), headers=headers) as answer,
            part.open("ab") as stream,
        ):
            answer.raise_for_status()
            if not answer.headers.get("content-range", "").startswith(f"bytes {have}-"):
                stream.truncate(0)  # the whole file comes
            for chunk in answer.iter_raw():  # as they come: a gathered chunk would be lost
                self.transferred += len(chunk)
                stream.write(chunk)
                if stream.tell() > size:
                    break
            stream.flush()
            os.fsync(stream.fileno())

    def _small(self, name: str) -> bytes:
        with self._reaching(name):
            return self._whole(name)

    @_again
    def _whole(self, name: str) -> bytes:
        content = b""
        with self._client.stream("GET", self._address(name)) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_raw():
                content += chunk
                if len(content) > _LARGEST:
                    break
        return content

    def _address(self, name: str) -> str:
        return f"{self._base}/{quote(name)}"

    @contextlib.contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        """Turns what httpx says into words for people."""
        try:
            yield
        except httpx.HTTPStatusError as error:
            raise UpdateError(
                f"{self.url}/{name} answers {error.response.status_code}.",
                fix="Is that the folder `edge` of a pushed model? Old versions are removed there.",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise UpdateError(
                f"{self.url}/{name} cannot be reached: {reason}.",
                fix="Update again when the server is there; what has arrived is kept.",
            ) from None


class _Folder(httpx.BaseTransport):
    """``file://`` as a server of plain files would answer, byte ranges included."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers from the disk."""
        path = Path(unquote(request.url.path))
        if not path.is_file():
            return httpx.Response(httpx.codes.NOT_FOUND)
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        start = int(asked[1]) if asked else 0
        headers = {"content-range": f"bytes {start}-{size - 1}/{size}"} if asked else {}
        status = httpx.codes.PARTIAL_CONTENT if asked else httpx.codes.OK
        return httpx.Response(status, headers=headers, content=_read(path, start))


def _read(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(start)
        while chunk := stream.read(_CHUNK):
            yield chunk
