"""A limit of 600 requests a minute: how much of it is used, and how many requests are refused.

    uv run python benchmarks/limits.py [SECONDS]          (90)

The server counts the requests of the last 60 s and refuses what is over 600 with 429. It is asked
as fast as the limits allow, by one process and by two that share them, with 32 threads each. The
first minute, in which a window of 60 s is still being filled, counts too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import deque
from typing import Any

from workload import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from support.provider_server import ProviderServer, Reply, default_answer, failure

LIMIT = 600
WORKER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from daydream.llm import Providers
from daydream.llm.request import Request
from daydream.settings import OpenAI, Pool
directory, url, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
settings = OpenAI(base_url=url, api_key_env=None)
pools = {"r": Pool(requests_per_minute=600)}
providers = Providers({"r": settings}, base_dir=directory, pools=pools)
request = Request(provider="r", model="m", messages=({"role": "user", "content": "x"},))
end = time.monotonic() + seconds
def work(_):
    while time.monotonic() < end:
        providers.complete(request)
with ThreadPoolExecutor(32) as threads:
    list(threads.map(work, range(32)))
"""


class Enforcer:
    """Answers, or refuses what is over the limit of any 60 seconds."""

    def __init__(self) -> None:
        self.accepted: list[float] = []
        self.refused = 0
        self._window: deque[float] = deque()

    def __call__(self, body: dict[str, Any]) -> Reply | str:
        """Count one request."""
        now = time.monotonic()
        while self._window and self._window[0] <= now - 60:
            self._window.popleft()
        if len(self._window) >= LIMIT:
            self.refused += 1
            return failure(429, "slow down", retry_after=1)
        self._window.append(now)
        self.accepted.append(now)
        return default_answer(body)


def main(seconds: float) -> None:
    """Print a row for one process and one for two."""
    print(f"{'processes':>9} {'answered':>9} {'allowed':>8} {'used':>6} {'refused':>8}")
    for processes in (1, 2):
        enforcer = Enforcer()
        with tempfile.TemporaryDirectory() as name, ProviderServer(answer=enforcer) as server:
            code = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n{WORKER}"
            command = [sys.executable, "-c", code, name, server.url, str(seconds)]
            workers = [subprocess.Popen(command) for _ in range(processes)]
            for worker in workers:
                worker.wait()
        times = enforcer.accepted
        answered = sum(1 for at in times if at - times[0] <= seconds)
        # In the first 60 s the window admits 600; after that what has left it.
        allowed = LIMIT * seconds / 60
        share = enforcer.refused / (enforcer.refused + len(times))
        print(
            f"{processes:>9} {answered:>9} {allowed:>8.0f} "
            f"{answered / allowed:>6.1%} {share:>8.2%}",
            flush=True,
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 90)
