"""One variant in a process of its own: ``device.py BUNDLE VARIANT ROW``.

It imports what a device has and nothing else, and writes what it measured as JSON.
"""

import json
import sys
import time
from pathlib import Path

WARM_UP, CALLS = 200, 5000


def main() -> None:
    """Answers once, then often."""
    bundle, variant, row = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    sys.path.insert(0, bundle)
    from headrace_edge import EdgeModel

    model = EdgeModel(bundle, variant=variant)
    answer = model.predict(row)
    first = time.time()
    transformed = model.transform(row)
    found = {
        "answer": next(iter(answer.values())),
        "first": first,
        "model": spent(lambda: model.predict_transformed(transformed)),
        "whole": spent(lambda: model.predict(row)),
    }
    found["memory"] = peak_memory()
    print(json.dumps(found))


def spent(call) -> list[float]:
    """Microseconds of many calls: the median, and what 1 % exceed."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - start) / 1000)
    times.sort()
    return [times[len(times) // 2], times[len(times) * 99 // 100]]


def peak_memory() -> float:
    """Highest resident memory of this process, in MB.

    From ``/proc``: what ``getrusage`` says begins with the memory of the process that started it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM")


if __name__ == "__main__":
    main()
