"""The model without a server: ``python -m benchmarks.serving.in_process MODEL SECONDS THREADS …``.

Calls the model with the record on standard input, as the server does, from so many threads, for
each number of THREADS in turn. Prints a ``Load`` for each as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from dataclasses import asdict

from benchmarks.serving.load import Load

#: The first calls take long: the graph is optimised.
_WARM_UP = 20


def measure(path: str, record: bytes, seconds: float, threads: list[int]) -> list[Load]:
    """Loads the model, and calls it."""
    import numpy as np

    import headrace.components.shared.tensorflow_env  # noqa: F401
    from headrace.components.shared.signatures import EXAMPLES_SIGNATURE
    from headrace.serving.server import calls
    from headrace.serving.server.runtime.loader import Loader

    servable = Loader().load("bench", 1, path)
    (alias,) = servable.signatures[EXAMPLES_SIGNATURE].inputs
    inputs = {alias: np.array([record], object)}
    times: list[float] = []

    def ask() -> None:
        calls.result(servable.run(EXAMPLES_SIGNATURE, inputs))

    def call(end: float) -> None:
        while (start := time.perf_counter()) < end:
            ask()
            times.append(time.perf_counter() - start)

    def run(count: int, duration: float) -> Load:
        times.clear()
        start = time.perf_counter()
        workers = [threading.Thread(target=call, args=(start + duration,)) for _ in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        taken = statistics.quantiles(times, n=100)
        return Load(len(times) / (time.perf_counter() - start), taken[49], taken[98])

    for _ in range(_WARM_UP):
        ask()
    return [run(count, seconds) for count in threads]


if __name__ == "__main__":
    given_path, given_seconds, *given_threads = sys.argv[1:]
    loads = measure(
        given_path,
        sys.stdin.buffer.read(),
        float(given_seconds),
        [int(count) for count in given_threads],
    )
    print(json.dumps([asdict(load) for load in loads]))
