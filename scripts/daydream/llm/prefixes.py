"""The first call with a new beginning of a prompt goes ahead of the others with that beginning.

A provider can read the beginning of a prompt from its cache only once an answer to an earlier one
has begun. If all calls of a run began at once, all of them would pay for the whole prompt: with 64
in flight, a third of 200 calls. So the first call is answered before the others are sent. They wait
for `PATIENCE_S` at most, because a call that waits for its turn at the provider may take longer. If
the first call fails, one of the others takes its place.

The prompts of a run are made while it runs, so what they have in common is not known from them. It
is what their template says before its cache point, or before its first tag (`dialects.write`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from daydream.errors import StoppedError

# Anthropic keeps a beginning for five minutes after its last use.
KEPT_S = 240.0
PATIENCE_S = 60.0
LOOK_S = 0.25
# What is known needs no event of its own: a cohort may have a beginning for each of its texts.
_OVER = threading.Event()
_OVER.set()


@dataclass(slots=True)
class _Beginning:
    """The calls with one beginning: when it was last in use, and whether its first call is over."""

    used: float
    known: threading.Event = field(default_factory=threading.Event)


class Prefixes:
    """The beginnings of a run's prompts; threads share it. `clock` gives seconds."""

    def __init__(
        self, stop: threading.Event, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._beginnings: dict[str, _Beginning] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, beginning: str) -> Iterator[None]:
        """Wait until a call with a beginning may be sent; one without (empty) does not wait.

        Raises:
            StoppedError: the run is ending.
        """
        if not beginning:
            yield
            return
        mine, first = self._enter(beginning)
        try:
            yield
        except BaseException:
            if first:
                self._forget(beginning, mine)
            raise
        else:
            mine.used = self._clock()
        finally:
            if first:
                mine.known.set()
                mine.known = _OVER

    def _enter(self, beginning: str) -> tuple[_Beginning, bool]:
        """Return the calls with a beginning, and whether this is the first of them."""
        patient_until = self._clock() + PATIENCE_S
        while True:
            with self._lock:
                found = self._beginnings.get(beginning)
                now = self._clock()
                if found is None or (found.known.is_set() and now - found.used > KEPT_S):
                    found = self._beginnings[beginning] = _Beginning(now)
                    return found, True
            if found.known.wait(LOOK_S):
                with self._lock:
                    if self._beginnings.get(beginning) is found:
                        return found, False
            elif self._clock() > patient_until:
                return found, False
            if self._stop.is_set():
                raise StoppedError("the call was waiting for its turn when the run ended")

    def _forget(self, beginning: str, mine: _Beginning) -> None:
        with self._lock:
            if self._beginnings.get(beginning) is mine:
                del self._beginnings[beginning]
