"""Unfinished files of killed processes: removed, and those of living ones left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daydream.files import HOST, ReservedFile
from daydream.store.leftovers import FOREIGN_S, leftovers, remove_leftovers
from support.project import ROOT

GENERATION = Path("data/gens/draft/d_1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a project with one generation."""
    monkeypatch.chdir(tmp_path)
    (GENERATION / "responses").mkdir(parents=True)


WRITER = """
import sys, time
from pathlib import Path
from daydream.files import ReservedFile, replacing
with replacing("data/gens/draft/d_1/raw.txt") as file:
    with ReservedFile(Path("data/gens/draft/d_1/responses/a.json"), size=100, wait=time.sleep):
        file.write(b"half")
        file.flush()
        print("ready", flush=True)
        time.sleep(60)
"""


def test_what_a_process_writes_is_left_alone_until_it_is_killed() -> None:
    """However it ends, its lock and its process end with it."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    unfinished = {path.name for path in GENERATION.rglob("*") if path.is_file()}
    assert len(unfinished) == 2
    assert remove_leftovers() == 0
    process.kill()
    process.wait()
    process.stdout.close()
    assert {path.name for path in leftovers()} == unfinished
    assert remove_leftovers() == 2
    assert not [path for path in GENERATION.rglob("*") if path.is_file()]


def test_another_machine_s_file_is_left_for_a_day() -> None:
    """Its processes are not seen from here."""
    path = GENERATION / "raw.txt.elsewhere.1-2.tmp"
    path.write_text("half")
    assert remove_leftovers() == 0
    old = time.time() - FOREIGN_S - 1
    os.utime(path, (old, old))
    assert remove_leftovers() == 1


def test_files_that_are_not_ours_stay() -> None:
    """Whatever their names end in."""
    for name in ("notes.tmp", "raw.txt.tmp", f"x.{HOST}.tmp"):
        (GENERATION / name).write_text("mine")
    assert remove_leftovers() == 0


def test_a_claim_of_this_process_is_left_alone() -> None:
    with ReservedFile(GENERATION / "responses/a.json", size=10, wait=time.sleep):
        assert remove_leftovers() == 0
