"""Runs that end early: by a signal, by kill -9, by a full disk. What was paid for is kept."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.background import Run, until
from support.project import Project
from support.provider_server import ProviderServer

CORES = 16
root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


def widen(project: Project, drafts: int) -> None:
    """Make the cohort so many drafts, with an essay and an evaluation each."""
    project.widen(drafts)
    # Replicates ask the same question: a seed of its own makes each request another one.
    for stage in project.config["stages"].values():
        stage["sampling"] = {"seed": "gen_id"}
    project.save()


def requests(server: ProviderServer) -> Counter[str]:
    return Counter(str(sorted(call.body.items())) for call in server.history)


def journaled(project: Project) -> int:
    return len(list(project.path("data/gens").glob("*/*/responses/*.json")))


def busy_run(project: Project, server: ProviderServer) -> Run:
    """Return a run that has a call in flight on each of its cores."""
    project.serve(server.url)
    run = Run(project, "--cores", str(CORES))
    until(lambda: server.in_flight == CORES)
    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_run_well(project: Project, number: signal.Signals) -> None:
    """No new call; those in flight are answered and kept; one line says so."""
    widen(project, 40)
    with ProviderServer(latency=1.0) as server:
        run = busy_run(project, server)
        run.signal(number)
        output = run.wait()
        asked = len(server.history)
        assert asked == CORES
        assert not project.holding("sk-test-secret")
        assert (
            f"Stopping: {number.name} (a second one ends it at once); waiting for 16 calls"
            in output
        )
        assert f"\nStopped: {number.name}\n" in output, "it has ended"
        assert "To go on; what was paid for is kept:" in output
        assert "Traceback" not in output
        assert journaled(project) == asked
        assert run.process.returncode != 0
        project.snakemake("--cores", "40")
        assert len(server.history) == 120


def test_one_wish_that_comes_twice_is_one(project: Project) -> None:
    """As where uv passes on what its whole process group was sent: no call in flight is lost."""
    widen(project, 20)
    with ProviderServer(latency=2.0) as server:
        run = busy_run(project, server)
        run.signal(signal.SIGINT)
        run.signal(signal.SIGINT)
        output = run.wait()
        assert "Stopping: SIGINT" in output
        assert "Stopped at once" not in output
        asked = len(server.history)
        project.snakemake("drafts")
        assert len(server.history) == 20
        assert asked == CORES


def test_a_second_signal_ends_it_at_once(project: Project) -> None:
    """And the next run goes on, without a word from the user."""
    widen(project, 20)
    with ProviderServer(latency=5.0) as server:
        run = busy_run(project, server)
        run.signal(signal.SIGINT)
        time.sleep(1)
        begin = time.monotonic()
        run.signal(signal.SIGINT)
        output = run.wait()
        assert time.monotonic() - begin < 3
        assert "Stopped at once by a second signal (SIGINT)." in output
        server.latency = 0
        project.snakemake("drafts")
        assert len(project.store("draft/*/parsed.txt")) == 20


def test_ctrl_c_while_a_run_is_planned(project: Project) -> None:
    """One line; the next run is as if there had been none."""
    mark = project.path("planned")
    waits = "import time\nfrom pathlib import Path\n\nPath('planned').touch()\ntime.sleep(30)\n"
    project.write("slow.py", waits)
    project.config["parsers"] = ["slow.py"]
    project.save()
    run = Run(project, "--cores", "2", "drafts")
    until(mark.exists)
    run.signal(signal.SIGINT)
    output = run.wait()
    assert "Stopped before the first job (SIGINT).\n" in output
    assert "Traceback" not in output
    assert run.process.returncode == 130
    project.config["parsers"] = []
    project.save()
    project.snakemake("drafts")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0.0, 0.3, 1.0])
def test_a_signal_while_tables_are_made(
    project: Project, number: signal.Signals, after: float
) -> None:
    """The process of a script is sent it too: it is done in a moment, and says nothing."""
    project.snakemake("scores")
    run = Run(project, "--cores", "2", "tables")
    until(lambda: scripts(run.process.pid))
    time.sleep(after)
    run.signal(number)
    output = run.wait()
    assert [word for word in ("Traceback", "Interrupt") if word in output] == [], output
    assert f"\nStopped: {number.name}\n" in output
    assert "Failed" not in output
    project.snakemake("tables")


def test_two_runs_at_once(project: Project) -> None:
    """The second says which one is there, and leaves it alone."""
    widen(project, 20)
    with ProviderServer(latency=1.0) as server:
        run = busy_run(project, server)
        output = project.snakemake(code=1)
        assert (
            f"[run] another run makes the same files here (process {run.process.pid} on" in output
        )
        assert "Traceback" not in output
        assert run.process.poll() is None
        run.wait()
        assert run.process.returncode == 0
        assert max(requests(server).values()) == 1


def test_twenty_kills(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The store becomes that of an undisturbed run; what was paid twice was in flight at a kill.

    Such a call may have been paid for, and its answer is lost: nobody was there to take it. That
    window, from the request until the answer is in the journal, is all there is.
    """
    widen(project, 100)
    chooser = random.Random(7)
    with ProviderServer(latency=0.2) as server:
        project.serve(server.url)
        lost = []
        for _ in range(20):
            asked, kept = len(server.history), journaled(project)
            run = Run(project, "--cores", str(CORES))
            until(lambda asked=asked: len(server.history) > asked)
            time.sleep(chooser.uniform(0, 0.8))
            run.signal(signal.SIGKILL)
            run.process.wait()
            settle(server)
            lost.append(len(server.history) - asked - (journaled(project) - kept))
            for path in project.path("data/gens").rglob("*.json"):
                assert path.read_bytes().endswith(b"}\n"), path
        server.latency = 0
        project.snakemake("--cores", "16")
        paid = requests(server)
    assert len(paid) == 300
    assert not project.holding("sk-test-secret")
    print(f"\n{paid.total() - 300} answers paid twice; in flight at the kills: {lost}")
    assert max(lost) <= CORES
    assert paid.total() - 300 == sum(lost)
    undisturbed = Project(tmp_path_factory.mktemp("undisturbed"))
    widen(undisturbed, 100)
    with ProviderServer() as server:
        undisturbed.serve(server.url)
        undisturbed.snakemake("--cores", "16")
    assert project.store() == undisturbed.store()


@pytest.mark.parametrize("when", ["shards", "parent alone", "first call", "end"])
def test_kills_at_other_moments(
    project: Project, when: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of shards, all at once or their parent alone; as the first call begins; as reports are made.

    Four each: whatever is killed, what was paid twice was in flight.
    """
    widen(project, 24)
    divided = when in ("shards", "parent alone")
    arguments = ("--config", "shards=2") if divided else ()
    chooser = random.Random(when)
    with ProviderServer(latency=0.2) as server:
        project.serve(server.url)
        lost = []
        for number in range(4):
            asked, kept = len(server.history), journaled(project)
            # Of all calls, the last runs leave none; then their reports are made.
            run = Run(project, "--cores", "4", "scores", *arguments)
            if when == "end":
                until(lambda: len(server.history) >= 72, timeout=120)
                time.sleep(0.2 + number * 0.2)
            else:
                until(
                    lambda asked=asked, run=run: (
                        len(server.history) > asked or run.process.poll() is not None
                    )
                )
                time.sleep(0 if when == "first call" else chooser.uniform(0, 0.6))
            if when == "parent alone":
                run.process.kill()
                run.process.wait()
                until(lambda run=run: not group(run.process.pid), timeout=120)
            else:
                with suppress(ProcessLookupError):
                    run.signal(signal.SIGKILL)
                run.process.wait()
            settle(server)
            lost.append(len(server.history) - asked - (journaled(project) - kept))
        server.latency = 0
        project.snakemake("scores", *arguments)
        paid = requests(server)
    print(f"\n{when}: in flight at the kills: {lost}")
    assert len(paid) == 72
    assert max(lost) <= (0 if when == "parent alone" else 8)
    assert paid.total() - 72 == sum(lost)
    assert not list(project.path("data").rglob("*.part"))
    assert not list(project.path("data").rglob("*.tmp"))
    undisturbed = Project(tmp_path_factory.mktemp("undisturbed"))
    widen(undisturbed, 24)
    with ProviderServer() as server:
        undisturbed.serve(server.url)
        undisturbed.snakemake("scores")
    assert project.store() == undisturbed.store()
    assert project.scores() == undisturbed.scores()


def settle(server: ProviderServer) -> None:
    """Wait until the server has read all that a killed process had sent."""
    while True:
        before = len(server.history)
        time.sleep(0.3)
        if len(server.history) == before:
            return


def group(leader: int) -> list[int]:
    """Return the processes of a group that run, its zombies left aside."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(number) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def scripts(leader: int) -> list[int]:
    """Return the processes of a group that run a script of the workflow, and no shell around it."""
    found = []
    for process in group(leader):
        with suppress(FileNotFoundError, ProcessLookupError):
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            found += [process for word in words[1:2] if b".snakemake/scripts/" in word]
    return found


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a file system of that size."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@root
@pytest.mark.parametrize("left", [800_000, 1_000_000, 1_400_000])
def test_a_disk_that_is_full_for_logs_too(tmp_path: Path, left: int) -> None:
    """The run stops and says how to go on, without a traceback of what it could not log."""
    with ProviderServer() as server, small_disk(tmp_path / "disk", "64m") as disk:
        project = Project(disk)
        widen(project, 60)
        project.serve(server.url)
        size = shutil.disk_usage(disk).used + left
        subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
        output = project.snakemake("--cores", "16", code=1)
        assert "Traceback" not in output
        assert "Logging error" not in output
        assert output.count("\n") < 150, output
        assert re.search(r"^Stopping: .*No space left on device", output, re.M)
        assert "To go on; what was paid for is kept:" in output
        asked = len(server.history)
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        project.snakemake("--cores", "16")
        assert asked < len(server.history) == 180
        assert max(requests(server).values()) == 1


@root
def test_a_full_disk(project: Project) -> None:
    """A clear stop before a call that could not be kept; then nothing was lost or paid again."""
    widen(project, 40)
    with ProviderServer() as server, small_disk(project.path("data/gens"), "2m") as store:
        project.serve(server.url)
        output = project.snakemake("--cores", "16", code=1)
        assert "No space left on device" in output
        assert not project.holding("sk-test-secret")
        assert "Traceback" not in output
        asked = len(server.history)
        assert 0 < asked < 120
        kept = [path for path in store.glob("*/*/responses/*.json") if path.stat().st_size]
        assert len(kept) == asked
        subprocess.run(["mount", "-o", "remount,size=64m", str(store)], check=True)
        project.snakemake("--cores", "16")
        assert len(server.history) == 120
        assert max(requests(server).values()) == 1


@root
def test_a_project_that_cannot_be_written(tmp_path: Path) -> None:
    """One line, also of what only looks."""
    with small_disk(tmp_path / "disk", "64m") as disk:
        project = Project(disk)
        project.snakemake("drafts")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for command in (["drafts"], ["-n", "scores"], ["plan"], ["check"]):
            output = project.run("--cores", "1", *command, code=1)
            assert f"[run] {disk} cannot be written" in output
            assert "Traceback" not in output


@root
def test_a_read_only_store(project: Project) -> None:
    """It is said, and nothing is asked."""
    widen(project, 4)
    with ProviderServer() as server, small_disk(project.path("data/gens"), "64m") as store:
        project.serve(server.url)
        project.snakemake("drafts")
        asked = len(server.history)
        subprocess.run(["mount", "-o", "remount,ro", str(store)], check=True)
        output = project.snakemake(code=1)
        assert "Read-only file system" in output
        assert "Traceback" not in output
        assert len(server.history) == asked
        subprocess.run(["mount", "-o", "remount,rw", str(store)], check=True)
        project.snakemake()
        assert max(requests(server).values()) == 1
    shutil.rmtree(project.path("data/gens"), ignore_errors=True)
