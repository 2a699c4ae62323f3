"""The first call with a beginning goes ahead; the others wait no longer than they have to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from daydream.errors import StoppedError
from daydream.llm import prefixes
from daydream.llm.prefixes import KEPT_S, Prefixes


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def calls(own: Prefixes, beginning: str, log: list[str], wait: Callable[[], object]) -> None:
    with own.turn(beginning):
        log.append("begin")
        wait()
        log.append("end")


def test_the_first_is_over_before_the_others_begin(threads: ThreadPoolExecutor) -> None:
    own, log = Prefixes(threading.Event()), []
    made = [threads.submit(calls, own, "rubric", log, lambda: time.sleep(0.05)) for _ in range(8)]
    for each in made:
        each.result()
    assert log[:2] == ["begin", "end"]
    assert log[2:4] == ["begin", "begin"]


def test_calls_without_a_beginning_or_with_another_do_not_wait(
    threads: ThreadPoolExecutor,
) -> None:
    own = Prefixes(threading.Event())
    together = threading.Barrier(4, timeout=10)
    made = [
        threads.submit(calls, own, beginning, [], together.wait)
        for beginning in ("", "", "one", "other")
    ]
    for each in made:
        each.result()


def test_another_takes_the_place_of_a_first_that_failed(threads: ThreadPoolExecutor) -> None:
    """One at a time, until one is answered."""
    own, log = Prefixes(threading.Event()), []
    lock = threading.Lock()

    def ask() -> None:
        with own.turn("rubric"):
            with lock:
                number = len(log)
                log.append(time.monotonic())
            time.sleep(0.05)
            if number < 2:
                raise ValueError("scripted")

    made = [threads.submit(ask) for _ in range(4)]
    assert sum(each.exception() is not None for each in made) == 2
    assert log[1] - log[0] >= 0.05
    assert log[2] - log[1] >= 0.05


def test_a_first_that_takes_too_long_is_not_waited_for(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefixes, "PATIENCE_S", 0.05)
    monkeypatch.setattr(prefixes, "LOOK_S", 0.01)
    own, log, done = Prefixes(threading.Event()), [], threading.Event()
    first = threads.submit(calls, own, "rubric", log, lambda: done.wait(10))
    while not log:
        time.sleep(0.01)
    threads.submit(calls, own, "rubric", log, lambda: None).result(timeout=10)
    assert log == ["begin", "begin", "end"]
    done.set()
    first.result()


def test_a_beginning_that_was_not_used_for_long_is_new() -> None:
    """The provider has forgotten it, so one call goes ahead again."""
    now = [0.0]
    own = Prefixes(threading.Event(), clock=lambda: now[0])
    with own.turn("rubric"):
        pass
    now[0] = KEPT_S - 1
    assert own._enter("rubric")[1] is False
    with own.turn("rubric"):
        pass
    now[0] += KEPT_S + 1
    assert own._enter("rubric")[1] is True


def test_a_run_that_ends_ends_the_wait() -> None:
    stop = threading.Event()
    own = Prefixes(stop)
    own._enter("rubric")
    stop.set()
    with pytest.raises(StoppedError), own.turn("rubric"):
        raise AssertionError
