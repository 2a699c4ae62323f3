"""Limits of a pool: used fully, not broken, shared by threads and processes."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daydream.errors import CallError, StoppedError
from daydream.llm import Providers
from daydream.llm.deadline import Deadline
from daydream.llm.failures import CallFailedError
from daydream.llm.limits import Limits
from daydream.llm.request import Request
from daydream.llm.usage import Usage
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
        usage.append(Usage(completion=90))
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


def refuse(pool: Limits, **fields: Any) -> None:
    failure = CallFailedError("429; wait", status=429, again=True, **fields)
    with pytest.raises(CallFailedError), pool.call(REQUEST):
        raise failure


def pass_through(pool: Limits, count: int) -> float:
    """Make calls that are let through at once; return the seconds that they took."""
    begin = time.monotonic()
    for _ in range(count):
        with pool.call(REQUEST):
            pass
    return time.monotonic() - begin


def test_a_refusal_among_answers_slows_nothing_down(tmp_path: Path) -> None:
    """Two of ten calls refused at random: the others go on."""
    pool = limits(tmp_path)
    for _ in range(5):
        refuse(pool, retry_after=30)
        assert pass_through(pool, 8) < 5
        refuse(pool, retry_after=30)


def test_refusals_in_a_row_close_the_pool(tmp_path: Path) -> None:
    """For as long as is asked; after an answer it goes on, ever faster."""
    pool = limits(tmp_path)
    pass_through(pool, 50)
    for _ in range(5):
        refuse(pool, retry_after=0.5)
    assert pass_through(pool, 1) >= 0.4
    assert pass_through(pool, 200) < 30


def test_headers_tell_a_limit_from_a_busy_machine(tmp_path: Path) -> None:
    """Nothing remains: the rate drops at the first refusal. Something does: it does not."""
    pool = limits(tmp_path / "busy")
    for _ in range(4):
        refuse(pool, exhausted=False)
        pass_through(pool, 1)
    assert pass_through(pool, 40) < 5
    pool = limits(tmp_path / "limited")
    pass_through(pool, 40)
    refuse(pool, exhausted=True)
    # At 20 calls in two seconds, 0.7 of them at first.
    assert pass_through(pool, 20) > 0.2


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


def test_the_clock_of_a_call_starts_with_its_first_attempt(tmp_path: Path) -> None:
    """The line of the pool's limits takes none of its deadline before, and ends with it after."""
    pool = limits(tmp_path, requests_per_minute=1, minute=2.0)
    pass_through(pool, 1)
    deadline = Deadline(1.0)
    with pool.call(REQUEST, deadline):
        assert deadline.left > 0
    told = r"waited to be made again.*requests_per_minute.*deadline"
    with pytest.raises(CallError, match=told), pool.call(REQUEST, deadline):
        pass


# Files of the past, of the future, and none of ours


def test_calls_of_the_future_do_not_count(tmp_path: Path) -> None:
    """A clock that was set back leaves them behind, and would wait for them to come again."""
    pass_through(limits(tmp_path, requests_per_minute=100), 1)
    (file,) = tmp_path.glob("*.sqlite")
    with closing(sqlite3.connect(file)) as connection:
        future = (time.time_ns() // 10**6) + 10**9
        rows = [("call", future)] * 100
        connection.executemany("INSERT INTO rate_bucket VALUES (?, ?)", rows)
        connection.commit()
    assert pass_through(limits(tmp_path, requests_per_minute=100), 1) < 20
    with closing(sqlite3.connect(file)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM rate_bucket").fetchone()
    assert count == 2


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rate_bucket (something TEXT)")
        connection.commit()


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "not SQLite": lambda path: path.write_bytes(b"not a database" * 100),
    "cut": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 500),
    "other tables": other_tables,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """It holds nothing that a minute would not bring back."""
    damage(tmp_path / "pool-calls.sqlite")
    damage(tmp_path / "pool-tokens.sqlite")
    pool = limits(tmp_path, requests_per_minute=100, tokens_per_minute=100_000)
    assert pass_through(pool, 2) < 20


def test_a_file_damaged_in_a_run_is_made_again(tmp_path: Path) -> None:
    """Whoever has it open takes the new one."""
    pool = limits(tmp_path, requests_per_minute=100)
    pass_through(pool, 1)
    for path in tmp_path.glob("*.sqlite*"):
        path.write_bytes(b"\xff" * 5000)
    assert pass_through(pool, 2) < 20


def test_a_file_that_another_holds_is_waited_for(tmp_path: Path) -> None:
    """And the waiting ends with the run."""
    stop = threading.Event()
    pool = limits(tmp_path, requests_per_minute=100, stop=stop)
    held = (tmp_path / "pool-calls.sqlite.lock").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(StoppedError), pool.call(REQUEST):
        pass
    held.close()
    stop.clear()
    assert pass_through(pool, 1) < 20


def test_what_is_in_the_way_of_a_file_is_told(tmp_path: Path) -> None:
    """In one line, with its path; a file in place of a directory is replaced."""
    (tmp_path / "pool-slots").write_text("")
    pass_through(limits(tmp_path, concurrent=1), 1)
    (tmp_path / "pool-calls.sqlite").mkdir()
    with pytest.raises(CallError, match=r"pool-calls.sqlite: could not be used to count calls \("):
        pass_through(limits(tmp_path, requests_per_minute=100), 1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/pool-slots/0").mkdir(parents=True)
    with pytest.raises(CallError, match="pool-slots/0: could not be used to count calls at once"):
        pass_through(limits(tmp_path / "other", concurrent=1), 1)


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


def test_a_directory_of_calls_at_once_that_several_make_together(tmp_path: Path) -> None:
    """Shards begin together: none takes what another has just made for a file in its way."""
    for number in range(100):
        directory = tmp_path / str(number) / "p-slots"
        together = threading.Barrier(4)

        def begin(directory: Path = directory, together: threading.Barrier = together) -> None:
            together.wait()
            pool = limits(directory.parent, concurrent=4)
            with pool.call(REQUEST):
                pass

        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(begin) for _ in range(4)]:
                done.result()
