"""Merging, padding, splitting and scheduling of requests, with a function as the model."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from headrace.serving.server import calls as requests
from headrace.serving.server.batching.parameters import BatchingParameters
from headrace.serving.server.batching.scheduler import Batcher
from headrace.serving.server.errors import Code, ServingError

FLOAT = np.dtype(np.float32)


class Model:
    """Doubles rows, remembers the batches, and can be held back."""

    def __init__(self) -> None:
        self.batches: list[np.ndarray[Any, Any]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        self.batches.append(np.array(values[0]))
        self.entered.release()
        assert self.gate.wait(30)
        if values[0].ndim == 1 and (values[0] < 0).any():
            raise ServingError(Code.INVALID_ARGUMENT, "negative")
        return [values[0] * 2]


class Calls:
    """Requests in threads of their own."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._threads: list[threading.Thread] = []
        self.results: dict[int, Any] = {}

    def send(self, *values: Any) -> None:
        for value in values:
            place = len(self._threads)
            thread = threading.Thread(target=self._one, args=(place, value))
            self._threads.append(thread)
            thread.start()

    def _one(self, place: int, value: Any) -> None:
        try:
            (result,) = self._run([np.array(value, np.float32)])
            self.results[place] = result.tolist()
        except ServingError as error:
            self.results[place] = error

    def join(self) -> list[Any]:
        for thread in self._threads:
            thread.join(30)
        return [self.results[place] for place in range(len(self._threads))]


def start(**parameters: Any) -> tuple[Model, Any, Batcher]:
    parameters.setdefault("num_batch_threads", 1)
    model = Model()
    batcher = Batcher(BatchingParameters(**parameters))
    return model, blocking(batcher.wrap(model, ["x"], [FLOAT])), batcher


def blocking(run: Any) -> Any:
    """The same function for a thread that waits; ``queue`` is where its requests wait."""

    def result(values: Sequence[Any]) -> Any:
        return requests.result(run(values))

    result.queue = run.__self__  # type: ignore[attr-defined]
    return result


def queued(run: Any) -> int:
    return len(run.queue.pending)


def hold_and_queue(model: Model, run: Any, *values: Any) -> Calls:
    """One request in the model, the others waiting behind it in order."""
    calls = Calls(run)
    model.gate.clear()
    calls.send([0.0])
    model.entered.acquire()
    for count, value in enumerate(values, start=1):
        calls.send(value)
        while queued(run) < count:
            threading.Event().wait(0.001)
    return calls


def test_a_lone_request_runs_in_its_own_thread() -> None:
    model, run, _ = start()

    assert run([np.float32([1, 2])])[0].tolist() == [2, 4]
    assert [batch.tolist() for batch in model.batches] == [[1, 2]]


def test_a_request_that_waits_holds_no_thread() -> None:
    model, run, batcher = start()
    waiting = batcher.wrap(model, ["x"], [FLOAT])
    calls = hold_and_queue(model, run)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # Returns, though the only slot is taken.
    requests.start(waiting([np.float32([1])]), lambda *answer: answers.put(answer))

    assert answers.empty()
    model.gate.set()
    ([answer], error) = answers.get(timeout=30)
    assert (answer.tolist(), error) == ([2], None)
    calls.join()


def test_an_answer_that_cannot_be_given_is_no_matter_for_others() -> None:
    model, run, batcher = start()
    waiting = batcher.wrap(model, ["x"], [FLOAT])
    calls = hold_and_queue(model, run)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    requests.start(waiting([np.float32([1])]), lambda *answer: answers.no_such_name)
    requests.start(waiting([np.float32([2])]), lambda *answer: answers.put(answer))
    model.gate.set()

    assert answers.get(timeout=30)[0][0].tolist() == [4]
    calls.join()
    assert run([np.float32([1])])[0].tolist() == [2]  # the slot was not lost


def test_the_starter_of_a_request_chooses_the_thread_for_the_model() -> None:
    model, _, batcher = start()
    jobs: list[Any] = []
    answers: list[Any] = []
    take = batcher.wrap(model, ["x"], [FLOAT])
    requests.start(take([np.float32([1])]), lambda *answer: answers.append(answer), jobs.append)

    assert model.batches == answers == []
    for job in jobs:
        job()
    assert [answer.tolist() for answer in answers[0][0]] == [[2]]


def test_a_failure_of_the_server_itself_is_an_answer_too() -> None:
    def broken(values: Sequence[Any]) -> Any:
        raise ZeroDivisionError

    run = blocking(Batcher(BatchingParameters()).wrap(broken, ["x"], [FLOAT]))
    for _ in range(2):  # the slot was not lost
        with pytest.raises(ServingError, match="The batch failed"):
            run([np.float32([1])])


def test_what_waits_is_merged_and_answers_go_to_their_askers() -> None:
    model, run, _ = start()
    calls = hold_and_queue(model, run, [1], [2, 3], [4])
    model.gate.set()

    assert calls.join() == [[0], [2], [4, 6], [8]]
    assert [batch.tolist() for batch in model.batches] == [[0], [1, 2, 3, 4]]


def test_a_batch_is_never_larger_than_allowed() -> None:
    model, run, _ = start(max_batch_size=3)
    calls = hold_and_queue(model, run, [1, 1], [2, 2], [3])
    model.gate.set()
    calls.join()

    assert [len(batch) for batch in model.batches] == [1, 2, 3]


def test_too_large_a_request_is_refused_or_split() -> None:
    model, run, _ = start(max_batch_size=4)
    with pytest.raises(ServingError, match="Task size 5 is larger than maximum input batch size 4"):
        run([np.zeros(5, np.float32)])

    model, run, _ = start(max_batch_size=8, max_execution_batch_size=3)
    assert run([np.arange(8, dtype=np.float32)])[0].tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [len(batch) for batch in model.batches] == [3, 3, 2]


def test_batches_are_filled_up_to_allowed_sizes() -> None:
    model, run, _ = start(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    calls = hold_and_queue(model, run, [1], [2, 3])
    model.gate.set()

    assert calls.join() == [[0], [2], [4, 6]]
    assert [batch.tolist() for batch in model.batches] == [[0, 0], [1, 2, 3, 2]]


def test_different_shapes_are_refused_unless_padding_is_on() -> None:
    model, run, _ = start()
    calls = hold_and_queue(model, run, [[1, 2]], [[3, 4, 5]])
    model.gate.set()
    _, *errors = calls.join()
    assert {error.code for error in errors} == {Code.FAILED_PRECONDITION}
    assert "padding is turned off. Set pad_variable_length_inputs to true" in errors[0].message

    model, run, _ = start(pad_variable_length_inputs=True)
    calls = hold_and_queue(model, run, [[1, 2]], [[3, 4, 5]])
    model.gate.set()
    assert calls.join()[1:] == [[[2, 4, 2]], [[6, 8, 10]]]


def test_a_full_queue_refuses() -> None:
    model, run, _ = start(max_batch_size=2, max_enqueued_batches=1)
    calls = hold_and_queue(model, run, [1, 1])
    with pytest.raises(ServingError) as caught:
        run([np.float32([5])])
    model.gate.set()
    calls.join()

    assert caught.value.code is Code.UNAVAILABLE
    assert "batch scheduling queue to which this task was submitted is full" in str(caught.value)
    assert run([np.float32([5])])[0].tolist() == [10]


def test_the_timeout_waits_for_a_full_batch_only_as_long_as_it_says() -> None:
    model, run, _ = start(max_batch_size=2, batch_timeout_micros=60_000_000)
    calls = Calls(run)
    calls.send([1], [2])
    assert sorted(calls.join()) == [[2], [4]]
    assert [len(batch) for batch in model.batches] == [2]

    model, run, _ = start(max_batch_size=2, batch_timeout_micros=1000)
    assert run([np.float32([1])])[0].tolist() == [2]


def test_an_error_reaches_all_of_its_batch_and_nobody_else() -> None:
    model, run, _ = start()
    calls = hold_and_queue(model, run, [-1], [2])
    model.gate.set()
    first, *errors = calls.join()

    assert first == [0]
    assert [error.message for error in errors] == ["negative", "negative"]
    assert run([np.float32([1])])[0].tolist() == [2]


def test_values_of_another_type_are_not_merged() -> None:
    model, run, _ = start()
    calls = hold_and_queue(model, run, [1])
    other = threading.Thread(target=lambda: run([np.float64([7])]))
    other.start()
    model.entered.acquire()
    assert model.batches[-1].dtype == np.float64
    model.gate.set()
    other.join()
    calls.join()


def test_slots_are_shared_by_models_and_never_lost() -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=2, max_batch_size=4))
    models = [Model() for _ in range(3)]
    runs = [blocking(batcher.wrap(model, ["x"], [FLOAT])) for model in models]

    def many(run: Any, value: float) -> None:
        for _ in range(200):
            assert run([np.float32([value])])[0].tolist() == [2 * value]

    threads = [
        threading.Thread(target=many, args=(run, value)) for run in runs for value in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert sum(len(batch) for model in models for batch in model.batches) == 3 * 5 * 200


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "at least one input tensor"),
        ([np.float32(1)], "must have at least one dimension"),
        ([np.zeros(1, "f"), np.zeros(2, "f")], "must have equal 0th-dimension size"),
    ],
)
def test_inputs_without_common_rows(values: list[Any], text: str) -> None:
    with pytest.raises(ServingError, match=text):
        start()[1](values)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"allowed_batch_sizes": (2, 4), "max_batch_size": 8}, "last entry was 4; expected 8"),
        ({"allowed_batch_sizes": (4, 2, 8), "max_batch_size": 8}, "ascending order"),
        ({"num_batch_threads": 0}, "num_batch_threads must be positive"),
        ({"batch_timeout_micros": -1}, "batch_timeout_micros must be non-negative"),
    ],
)
def test_parameters_that_contradict_each_other(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(ServingError, match=text):
        BatchingParameters(**parameters)


def test_a_model_that_does_not_answer_row_by_row() -> None:
    batcher = Batcher(BatchingParameters())
    total = blocking(batcher.wrap(lambda values: [values[0].sum()], ["x"], [FLOAT]))
    with pytest.raises(ServingError, match="Batched output tensor has 0 dimensions"):
        total([np.float32([1, 2])])
