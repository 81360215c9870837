"""Load on an HTTP server: ``python -m benchmarks.http_load PORT CONNECTIONS SECONDS BODY``.

Prints requests per second. Each connection sends its next request when it has the answer to the
last one. Any answer but 200 is an error.
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop


async def _connection(port: int, message: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.perf_counter() < end:
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        content = await reader.readexactly(int(length))
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{head!r} {content!r}")
        done += 1
    writer.close()
    return done


async def _run(port: int, connections: int, seconds: float, body: bytes) -> float:
    head = (
        "POST /get-online-features HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    start = time.perf_counter()
    tasks = [_connection(port, head.encode() + body, start + seconds) for _ in range(connections)]
    done = await asyncio.gather(*tasks)
    return sum(done) / (time.perf_counter() - start)


if __name__ == "__main__":
    given_port, given_connections, given_seconds, given_body = sys.argv[1:]
    rate = _run(int(given_port), int(given_connections), float(given_seconds), given_body.encode())
    print(uvloop.run(rate))
