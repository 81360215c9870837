import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from headrace.pipelines.local.resources import Slots, Stopped


def run_all(slots, requests):
    """Runs a step per (memory, urgency); returns their order and the most seen at once."""
    order, lock, current, most = [], threading.Lock(), [0], [0]

    def step(number, memory, urgency):
        with slots.hold(memory, urgency=urgency):
            with lock:
                order.append(number)
                current[0] += 1
                most[0] = max(most[0], current[0])
            time.sleep(0.02)
            with lock:
                current[0] -= 1

    with ThreadPoolExecutor(len(requests)) as pool:
        for future in [pool.submit(step, number, *rest) for number, rest in enumerate(requests)]:
            future.result()
    return order, most[0]


@pytest.mark.parametrize(
    ("cores", "memory", "request_size", "expected"),
    [(2, 100, 10, 2), (4, 100, 30, 3), (4, 100, 60, 1), (4, 100, 1000, 1)],
)
def test_no_more_run_at_once_than_cores_and_memory_allow(cores, memory, request_size, expected):
    slots = Slots(threading.Event(), cores=cores, memory=memory)

    order, most = run_all(slots, [(request_size, 0)] * 8)

    assert sorted(order) == list(range(8))
    assert most <= expected


def test_what_others_wait_for_goes_first():
    slots = Slots(threading.Event(), cores=1, memory=100)
    ran = []

    def step(urgency):
        with slots.hold(1, urgency=urgency):
            ran.append(urgency)

    with ThreadPoolExecutor(4) as pool, slots.hold(1):
        for urgency in (1, 3, 0, 2):
            pool.submit(step, urgency)
        time.sleep(0.1)
    assert ran == [3, 2, 1, 0]


def test_waiting_ends_when_the_run_is_stopped():
    stop = threading.Event()
    slots = Slots(stop, cores=1, memory=100)

    def step():
        with slots.hold(1):
            pass

    with slots.hold(1), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(step)
        stop.set()
        slots.wake()
        with pytest.raises(Stopped):
            waiting.result(timeout=5)
