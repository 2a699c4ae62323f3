"""A terminal of a fixed size for a run: what stands on its screen, at any time."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte


class Terminal:
    """The screen of a process, as an emulator draws it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, rows: int, columns: int):
        self.process = process
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._master = master
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self._stream.feed(data)

    def lines(self) -> list[str]:
        """Return the lines of the screen, without the blanks at their ends."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display]

    def wait(self) -> int:
        """Wait for the end of the process, and return its code."""
        code = self.process.wait(timeout=120)
        self._thread.join(timeout=5)
        return code


@contextmanager
def terminal(
    command: Sequence[str], *, directory: Path, env: Mapping[str, str], rows: int, columns: int
) -> Iterator[Terminal]:
    """Run a command in a terminal of that size; it is ended with the block."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    clean = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**clean, "TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master, rows, columns)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
        os.close(master)
