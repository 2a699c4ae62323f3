"""Files that are written while too many are open."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daydream import files
from daydream.errors import StoreError
from daydream.files import ReservedFile, lacks_room, read_text, write_text


@pytest.fixture
def all_open() -> Iterator[list[int]]:
    """Let this process open no more files; return descriptors, of which each closed allows one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
    opened: list[int] = []
    try:
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                opened.append(os.open("/dev/null", os.O_RDONLY))
        yield opened
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        while opened:
            os.close(opened.pop())


def wait() -> None:
    raise AssertionError("nobody holds the file")


def test_an_answer_waits_for_others_to_close_their_files(
    tmp_path: Path, all_open: list[int]
) -> None:
    """From its claim to the name in its directory it needs two at once."""
    closing = threading.Timer(0.3, lambda: [os.close(all_open.pop()) for _ in range(2)])
    closing.start()
    with ReservedFile(tmp_path / "entry", size=100, wait=wait) as file:
        file.write("paid\n")
    closing.join()
    write_text(tmp_path / "text", "text\n", durable=True)
    assert read_text(tmp_path / "entry") == "paid\n"


def test_what_is_said_if_they_stay_open(
    tmp_path: Path, all_open: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause and what helps, after a while."""
    monkeypatch.setattr(files, "FILES_WAIT_S", 0.2)
    with pytest.raises(StoreError, match=r"Too many open files\); allow more .*ulimit -n") as found:
        write_text(tmp_path / "text", "text\n")
    assert lacks_room(found.value)
    assert all_open
