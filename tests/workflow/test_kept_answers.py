"""Answers that the file system does not take: the run stops, and each is kept until the next."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from support.project import Project
from support.provider_server import ProviderServer

DRAFTS, CORES = 30, 6
root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
HERE = Path(__file__).resolve()
COMPILER = shutil.which("cc") or ""


def widen(project: Project) -> None:
    """Make the cohort so many drafts, each with a request of its own."""
    project.widen(DRAFTS)
    project.config["stages"]["draft"]["sampling"] = {"seed": "gen_id"}


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory for temporary files of a run."""
    return tmp_path_factory.mktemp("elsewhere")


def run(project: Project, elsewhere: Path, **variables: str) -> str:
    """Run snakemake in a process of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", f"{CORES}", "drafts"],
        check=False,
        cwd=project.dir,
        env={
            **os.environ,
            "TEST_API_KEY": "sk-test-secret",
            "COLUMNS": "300",
            "TMPDIR": str(elsewhere),
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    project.code = done.returncode
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def answered(server: ProviderServer) -> Counter[object]:
    return Counter(call.body["seed"] for call in server.history)


@root
def test_large_answers_on_a_nearly_full_disk(project: Project, elsewhere: Path) -> None:
    """The first that does not fit ends the run; it and those in flight are kept elsewhere."""
    widen(project)
    text = "A line of an answer.\n" * 15_000  # 315 kB
    store = project.path("data/gens")
    store.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(store)], check=True)
    try:
        with ProviderServer(lambda body: f"{body['seed']}\n{text}", latency=0.5) as server:
            project.serve(server.url)
            output = run(project, elsewhere)
            assert project.code == 1
            assert "No space left on device" in output
            asked = len(server.history)
            assert asked < DRAFTS
            journaled = len([*store.glob("draft/*/responses/*.json")])
            spilled = [*elsewhere.glob("daydream-*/data/gens/draft/*/responses/*.json")]
            assert journaled + len(spilled) == asked
            assert spilled
            assert str(spilled[0].parents[5]) in output
            # As long as there is no room, no run begins.
            with suppress(OSError), store.joinpath("filler").open("wb", buffering=0) as filler:
                while filler.write(b"-" * 4096):
                    pass
            again = run(project, elsewhere)
            assert project.code == 1
            assert "holds a paid answer that cannot be moved" in again
            assert len(server.history) == asked
            store.joinpath("filler").unlink()
            subprocess.run(["mount", "-o", "remount,size=64m", str(store)], check=True)
            output = run(project, elsewhere)
            assert project.code == 0, output
            assert f"Took in {len(spilled)} answer" in output
            assert set(answered(server).values()) == {1}
            assert len(server.history) == DRAFTS
            assert not [*elsewhere.rglob("*.json")]
    finally:
        subprocess.run(["umount", "-l", str(store)], check=True)


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the library that makes calls of the file system fail."""
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = HERE.parents[1] / "support/faults.c"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    yield library


CALLS = ("open", "fallocate", "write", "truncate", "fsync", "rename", "fsyncdir")


@pytest.mark.skipif(not COMPILER and not os.environ.get("DAYDREAM_CI"), reason="needs a C compiler")
@pytest.mark.parametrize(("call", "name"), list(zip(CALLS, cycle(["EIO", "ENOSPC"]))))
def test_a_faulty_file_system(
    project: Project, elsewhere: Path, faults: Path, call: str, name: str
) -> None:
    """Whichever call on the journal fails: the run stops, and no answer is lost or paid again.

    Each call with one of the two errors, as nothing here asks which one it is.
    """
    widen(project)
    fault: Mapping[str, str] = {
        "LD_PRELOAD": str(faults),
        "FAULT_CALL": call,
        "FAULT_PATH": "/responses",
        "FAULT_EXCEPT": str(elsewhere),
        "FAULT_ERRNO": str(getattr(errno, name)),
        "FAULT_FROM": "9",
    }
    with ProviderServer(latency=0.1) as server:
        project.serve(server.url)
        output = run(project, elsewhere, **fault)
        assert project.code == 1, output
        assert os.strerror(getattr(errno, name)) in output, output
        stopped_at = len(server.history)
        assert stopped_at <= 9 + 2 * CORES
        output = run(project, elsewhere)
        assert project.code == 0, output
        assert len(server.history) == DRAFTS
        assert set(answered(server).values()) == {1}
    assert len(project.store("draft/*/raw.txt")) == DRAFTS
    assert not [*elsewhere.glob("daydream-*")]
    assert not [*project.path("data").rglob("*.part")]


@pytest.mark.skipif(not COMPILER and not os.environ.get("DAYDREAM_CI"), reason="needs a C compiler")
@pytest.mark.parametrize("call", ["open", "write"])
def test_too_many_open_files(project: Project, elsewhere: Path, faults: Path, call: str) -> None:
    """Where no answer can be written, here or elsewhere: the line says why, and what helps.

    No answer is paid for where a claim cannot be opened.
    """
    widen(project)
    fault = {
        "LD_PRELOAD": str(faults),
        "FAULT_CALL": call,
        "FAULT_PATH": "/responses",
        "FAULT_EXCEPT": "nothing",
        "FAULT_ERRNO": str(errno.EMFILE),
        "FAULT_FROM": "9",
    }
    with ProviderServer(latency=0.1) as server:
        project.serve(server.url)
        output = run(project, elsewhere, **fault)
        assert project.code == 1, output
        assert "Too many open files" in output
        assert "ulimit -n" in output
        assert "room" not in output
        assert ("is lost" in output) == (call == "write")
        asked = len(server.history)
        assert len([*project.path("data").rglob("responses/*.json")]) == asked or call == "write"
        output = run(project, elsewhere)
        assert project.code == 0, output
        assert call == "write" or len(server.history) == DRAFTS
    assert not [*elsewhere.glob("daydream-*")]
