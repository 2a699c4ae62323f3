"""What faults and limits of a provider cost: time against the bare `openai` SDK, and requests.

    uv run --group peers python benchmarks/goodput.py [SECONDS]          (90)

Storm: 400 calls of 0.2 s, 32 at once, to a server that answers 30 % of the requests with a fault,
at random: 429 with Retry-After 1, 500, a broken connection, a page in place of JSON, or an answer
that takes 1 s more. Both ask as often as it takes, the SDK with `max_retries=10`; it is asked again
by hand after the page, which it does not take for a failure. Seconds are those of three runs each,
by turns, with the same faults.

Limits: a server that allows 600 requests a minute, asked for so many seconds by two processes with
32 threads each, which know of the limit (`requests_per_minute: 600`) or do not. It counts the last
60 s (`window`), or is a bucket of 60 that fills by 10 a second (`bucket`), and refuses with 429 and
Retry-After 1; with `headers`, it tells in `x-ratelimit-*` what is left, too. What is allowed grows
with time alone: a window admits 600 at once.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from workload import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from support.provider_server import (
    ProviderServer,
    Reply,
    completion,
    default_answer,
    failure,
    html,
    reset,
)

CALLS, AT_ONCE, LATENCY, FAULTY = 400, 32, 0.2, 0.3
LIMIT, PROCESSES, THREADS = 600, 2, 32

STORM = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
who, directory, url, calls, at_once = *sys.argv[1:4], *map(int, sys.argv[4:6])
failed = []
if who == "ours":
    from daydream.llm import Providers
    from daydream.llm.request import Request
    from daydream.settings import OpenAI
    settings = OpenAI(base_url=url, api_key_env=None, max_attempts=11)
    providers = Providers({"r": settings}, base_dir=Path(directory))
    def call(number):
        messages = ({"role": "user", "content": str(number)},)
        try:
            providers.complete(Request(provider="r", model="m", messages=messages))
        except Exception as error:
            failed.append(error)
else:
    import openai
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=10)
    def call(number):
        messages = [{"role": "user", "content": str(number)}]
        while isinstance(client.chat.completions.create(model="m", messages=messages), str):
            pass
call(-1)
begin = time.monotonic()
with ThreadPoolExecutor(at_once) as threads:
    list(threads.map(call, range(calls)))
print(time.monotonic() - begin, len(failed))
"""

LIMITED = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from daydream.llm import Providers
from daydream.llm.request import Request
from daydream.settings import OpenAI, Pool
directory, url, seconds, known, count = sys.argv[1:6]
settings = OpenAI(base_url=url, api_key_env=None)
pools = {"r": Pool(requests_per_minute=int(known) or None)}
providers = Providers({"r": settings}, base_dir=Path(directory), pools=pools)
request = Request(provider="r", model="m", messages=({"role": "user", "content": "x"},))
end, failed = time.monotonic() + float(seconds), []
def work(_):
    while time.monotonic() < end:
        try:
            providers.complete(request)
        except Exception as error:
            failed.append(error)
with ThreadPoolExecutor(int(count)) as threads:
    list(threads.map(work, range(int(count))))
print(len(failed))
"""


def faulty(seed: int) -> Any:  # noqa: ANN401 - what a server answers
    """Return an answer that is a fault in so many cases of a hundred."""
    chance, lock = random.Random(seed), threading.Lock()
    faults = [
        lambda: failure(429, "slow down", retry_after=1),
        lambda: failure(500),
        reset,
        html,
        lambda: None,
    ]

    def answer(body: dict[str, Any]) -> Reply | str:
        with lock:
            fault = chance.choice(faults) if chance.random() < FAULTY else None
        if fault is None:
            return default_answer(body)
        # An answer that is late is an answer.
        return fault() or Reply(body=default_body(body), delay=1)

    return answer


def default_body(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer that a request would have got anyway."""
    return completion(default_answer(body))


class Enforcer:
    """Answers, or refuses what is over the limit."""

    def __init__(self, kind: str) -> None:
        self.answered = self.refused = 0
        self._kind = kind
        self._window: deque[float] = deque()
        self._tokens, self._at = 60.0, time.monotonic()

    def __call__(self, body: dict[str, Any]) -> Reply | str:
        """Count one request."""
        left, reset_s = self._take(time.monotonic())
        headers = {}
        if "headers" in self._kind:
            headers = {
                "x-ratelimit-limit-requests": str(LIMIT),
                "x-ratelimit-remaining-requests": str(max(0, left)),
                "x-ratelimit-reset-requests": f"{reset_s:.3f}s",
            }
        if left < 0:
            self.refused += 1
            reply = failure(429, "slow down", retry_after=1)
            return Reply(status=429, body=reply.body, headers={**reply.headers, **headers})
        self.answered += 1
        return Reply(body=default_body(body), headers=headers)

    def _take(self, now: float) -> tuple[int, float]:
        """Return how many requests are left, -1 if not even this one, and seconds until all are."""
        if self._kind.startswith("window"):
            while self._window and self._window[0] <= now - 60:
                self._window.popleft()
            if (left := LIMIT - len(self._window) - 1) >= 0:
                self._window.append(now)
            return left, self._window[0] + 60 - now
        self._tokens = min(60.0, self._tokens + (now - self._at) * LIMIT / 60)
        self._at = now
        if self._tokens < 1:
            return -1, (60 - self._tokens) / (LIMIT / 60)
        self._tokens -= 1
        return int(self._tokens), (60 - self._tokens) / (LIMIT / 60)


def worker(script: str, *arguments: object) -> list[float]:
    """Run a script in a process of its own, and return the numbers that it prints."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n{script}"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def storm() -> None:
    """Print a row for the SDK and one for the provider of the workflow."""
    seconds: dict[str, list[float]] = {"sdk": [], "ours": []}
    requests, failed = dict.fromkeys(seconds, 0), dict.fromkeys(seconds, 0)
    for seed in range(3):
        for who, times in seconds.items():
            with (
                tempfile.TemporaryDirectory() as name,
                ProviderServer(answer=faulty(seed), latency=LATENCY) as server,
            ):
                took, lost = worker(STORM, who, name, server.url, CALLS, AT_ONCE)
                times.append(took)
                requests[who] += len(server.history)
                failed[who] += int(lost)
    print(f"{'storm':>6} {'seconds':>17} {'median':>7} {'ratio':>6} {'requests':>9} {'failed':>7}")
    for who, times in seconds.items():
        told = ", ".join(f"{took:.1f}" for took in times)
        ratio = median(times) / median(seconds["sdk"])
        print(
            f"{who:>6} {told:>17} {median(times):>7.1f} {ratio:>6.2f} {requests[who]:>9} "
            f"{failed[who]:>7}",
            flush=True,
        )


def limits(seconds: float) -> None:
    """Print a row for each kind of limit, known and not."""
    print(f"\n{'limit':>15} {'known':>6} {'answered':>9} {'used':>6} {'refused':>8} {'failed':>7}")
    for kind in ("window", "bucket", "window headers", "bucket headers"):
        for known in (LIMIT, 0) if "headers" not in kind else (0,):
            enforcer = Enforcer(kind)
            with (
                tempfile.TemporaryDirectory() as name,
                ProviderServer(answer=enforcer) as server,
                ThreadPoolExecutor(PROCESSES) as threads,
            ):
                arguments = (LIMITED, name, server.url, seconds, known, THREADS)
                done = [threads.submit(worker, *arguments) for _ in range(PROCESSES)]
                failed = sum(future.result()[0] for future in done)
            share = enforcer.refused / (enforcer.refused + enforcer.answered)
            print(
                f"{kind:>15} {'yes' if known else 'no':>6} {enforcer.answered:>9} "
                f"{enforcer.answered / (LIMIT * seconds / 60):>6.1%} {share:>8.2%} {failed:>7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    storm()
    limits(float(sys.argv[1]) if len(sys.argv) > 1 else 90)
