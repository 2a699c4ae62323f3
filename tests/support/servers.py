"""The model server of the tests as a command, and the processes that there are."""

from __future__ import annotations

import sys
from pathlib import Path

SERVER = [sys.executable, str(Path(__file__).with_name("model_server.py")), "{port}"]


def processes(text: str) -> list[int]:
    """Return the ids of the processes whose command line holds a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_bytes().decode(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
