"""Limits of a pool: used fully, not broken, shared by threads and processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daydream.errors import StoppedError
from daydream.llm import Providers
from daydream.llm.failures import CallFailedError
from daydream.llm.limits import Limits
from daydream.llm.request import Request
from daydream.settings import OpenAI, Pool
from support.project import ROOT
from support.provider_server import ProviderServer

REQUEST = Request(provider="r", model="m", messages=({"role": "user", "content": "x" * 40},))


def limits(directory: Path, *, stop: threading.Event | None = None, **given: object) -> Limits:
    return Limits(directory, "pool", stop=stop or threading.Event(), **given)  # type: ignore[arg-type]


def take(pool: Limits, seconds: float) -> list[float]:
    """Return when each call began that eight threads make as fast as they may."""
    begin, times = time.monotonic(), []

    def work() -> None:
        while time.monotonic() - begin < seconds:
            with pool.call(REQUEST):
                times.append(time.monotonic() - begin)

    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(work)
    return sorted(time for time in times if time < seconds)


def most_in(times: list[float], window: float) -> int:
    return max(sum(1 for other in times if 0 <= other - time < window) for time in times)


def test_calls_a_minute(tmp_path: Path) -> None:
    """No minute has more than the limit, and it is used; a minute is 2 s here."""
    times = take(limits(tmp_path, requests_per_minute=100, minute=2.0), 5.0)
    assert most_in(times, 1.9) <= 100
    assert len(times) >= 0.8 * 250


def test_tokens_a_minute(tmp_path: Path) -> None:
    """A call takes its prompt and what answers took so far."""
    pool = limits(tmp_path, tokens_per_minute=10_000, minute=2.0)
    with pool.call(REQUEST) as usage:
        usage["completion_tokens"] = 90
    times = take(pool, 3.0)
    assert 60 <= len(times) <= 200
    assert most_in(times, 1.9) <= 100


def test_calls_at_once(tmp_path: Path) -> None:
    """Of all pools on the same files together."""
    pools = [limits(tmp_path, concurrent=3) for _ in range(2)]
    lock, now, most = threading.Lock(), 0, 0

    def work(pool: Limits) -> None:
        nonlocal now, most
        with pool.call(REQUEST):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.02)
            with lock:
                now -= 1

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, pools * 20))
    assert most == 3


def test_a_429_halves_what_is_in_flight_and_holds_all_up(tmp_path: Path) -> None:
    """And answers let it grow again."""
    pool = limits(tmp_path, concurrent=8)
    refused = CallFailedError("429; wait", status=429, again=True, retry_after=0.3)
    with pytest.raises(CallFailedError), pool.call(REQUEST):
        raise refused
    begin = time.monotonic()
    with pool.call(REQUEST):
        assert time.monotonic() - begin >= 0.25
    assert pool._window._limit < 8
    for _ in range(100):
        with pool.call(REQUEST):
            pass
    assert pool._window._limit == 8


def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    """Whoever waits for its turn is not in flight."""
    stop = threading.Event()
    pool = limits(tmp_path, requests_per_minute=1, stop=stop)
    with pool.call(REQUEST):
        pass
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(StoppedError), pool.call(REQUEST):
        pass


@pytest.mark.parametrize("here", [True, False], ids=["this process", "another process"])
def test_a_stop_ends_the_waiting_for_who_has_the_place(tmp_path: Path, here: bool) -> None:
    """All threads that wait leave, and what they held is free again."""
    stop = threading.Event()
    pool = limits(tmp_path, concurrent=1, stop=stop)
    holder = pool if here else limits(tmp_path, concurrent=1)

    def wait() -> None:
        with pytest.raises(StoppedError), pool.call(REQUEST):
            pass

    with ThreadPoolExecutor(4) as threads:
        with holder.call(REQUEST):
            waiting = [threads.submit(wait) for _ in range(4)]
            threading.Timer(0.2, stop.set).start()
            for thread in waiting:
                thread.result()
        with pool.call(REQUEST):
            pass


WORKER = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from test_limits import REQUEST, limits, take
Path(sys.argv[1], f"{sys.argv[2]}.ready").touch()
pool = limits(Path(sys.argv[1]), requests_per_minute=200, minute=2.0)
begin = time.time()
print(json.dumps([begin + at for at in take(pool, 5.0)]))
"""


def test_processes_share_a_limit(tmp_path: Path) -> None:
    """Two of them together have what one would have."""
    paths = [str(ROOT / "scripts"), str(ROOT / "tests"), str(Path(__file__).parent)]
    script = f"import sys; sys.path[:0] = {paths!r}\n{WORKER}"
    command = [sys.executable, "-c", script, str(tmp_path)]
    workers = [
        subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True) for n in range(2)
    ]
    times = sorted(at for worker in workers for at in json.loads(worker.communicate()[0]))
    assert all(worker.returncode == 0 for worker in workers)
    assert most_in(times, 1.9) <= 200
    assert len(times) >= 0.8 * 400


def test_a_server_that_enforces_its_limit(tmp_path: Path) -> None:
    """Hardly a request is refused; benchmarks/limits.py measures it over whole minutes."""
    with ProviderServer() as server:
        settings = OpenAI(base_url=server.url, api_key_env=None)
        providers = Providers(
            {"r": settings}, base_dir=tmp_path, pools={"r": Pool(requests_per_minute=600)}
        )
        # The first call imports what makes calls, while others would get in line.
        providers.complete(REQUEST)
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda _: providers.complete(REQUEST), range(60)))
        providers.close()
        times = [call.at for call in server.history[1:]]
    assert most_in(times, 2.9) <= 40
    assert max(times) - min(times) < 12
