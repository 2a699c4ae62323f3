"""One directory with as many entries as a large store has generations of a stage.

    uv run python benchmarks/directory.py [ENTRIES]          (300000)

Each entry is a directory with a file, as a generation's is. Compared with the same at a hundredth
of the size: seconds to make, to scan, and microseconds to look one up by its name.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path


def measure(entries: int) -> tuple[float, float, float]:
    """Return seconds to make and to scan the directory, and to look up one entry."""
    names = [f"v_{number:016d}" for number in range(entries)]
    random.Random(1).shuffle(names)
    with tempfile.TemporaryDirectory() as root:
        begin = time.perf_counter()
        for name in names:
            path = Path(root, name)
            path.mkdir()
            (path / "parsed.txt").write_bytes(b"x")
        made = time.perf_counter() - begin
        begin = time.perf_counter()
        with os.scandir(root) as found:
            count = sum(1 for _ in found)
        scanned = time.perf_counter() - begin
        assert count == entries
        some = random.Random(2).sample(names, min(entries, 10_000))
        begin = time.perf_counter()
        for name in some:
            Path(root, name, "parsed.txt").stat()
        looked_up = (time.perf_counter() - begin) / len(some)
    return made, scanned, looked_up


def main(entries: int) -> None:
    """Print a row a size."""
    names = ("made s", "µs each", "scan s", "µs each", "lookup µs")
    print(f"{'entries':>8} " + " ".join(f"{name:>10}" for name in names))
    for size in (entries // 100, entries):
        made, scanned, looked_up = measure(size)
        print(
            f"{size:>8,} {made:>10.2f} {1e6 * made / size:>10.1f} {scanned:>10.3f} "
            f"{1e6 * scanned / size:>10.2f} {1e6 * looked_up:>10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
