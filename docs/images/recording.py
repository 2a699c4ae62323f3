"""A terminal session, recorded as an SVG that moves, without a player or a script in it.

`record` types commands into a real shell and keeps what stands on its screen; `write_svg` draws it.
The film is a strip of all screens, one below the other, that CSS moves by a screen at a time. Equal
lines are drawn once. Who asks for less motion sees the last screen.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyte

FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
WIDTH, HEIGHT, MARGIN, BAR = 8.4, 18.0, 14.0, 30.0
GROUND, TEXT = "#16181d", "#d8dee9"
COLOURS = {
    "black": "#5c6370",
    "red": "#f07178",
    "green": "#a3d98f",
    "brown": "#e5c07b",
    "blue": "#7aa7f0",
    "magenta": "#c792ea",
    "cyan": "#7fd1d8",
    "white": TEXT,
}


class Piece(NamedTuple):
    """Characters of one line that look alike."""

    column: int
    text: str
    colour: str
    bold: bool


Line = tuple[Piece, ...]


class Frame(NamedTuple):
    """What stood on the screen from a moment on."""

    at: float
    lines: tuple[Line, ...]


class Shell:
    """A shell in a terminal of a fixed size, and every screen that was to be seen."""

    def __init__(
        self, directory: Path, env: Mapping[str, str], *, rows: int, columns: int, every: float
    ) -> None:
        self.frames: list[Frame] = []
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._every = every
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"],
            cwd=directory,
            env={**env, "TERM": "xterm-256color", "PS1": "$ ", "HISTFILE": "/dev/null"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self._start = time.monotonic()
        self._keep()

    def type(self, command: str) -> None:
        """Type a command as a person would, and press Enter."""
        for character in f"{command}\n":
            os.write(self._master, character.encode())
            self.watch(0.05)

    def watch(self, seconds: float, until: Callable[[str], bool] = lambda _: False) -> None:
        """Read what is shown for some seconds, or until the screen holds something."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._master], [], [], min(left, 0.05))
            if ready:
                self._stream.feed(os.read(self._master, 65536))
            self._keep()
            if until("\n".join(self._screen.display)):
                return

    def wait(self, seconds: float = 120) -> None:
        """Read until the shell waits for the next command."""
        self.watch(seconds, lambda screen: screen.rstrip().endswith("\n$"))

    def close(self) -> None:
        """End the shell."""
        self._process.kill()  # an interactive shell takes no SIGTERM
        self._process.wait()
        os.close(self._master)

    def _keep(self) -> None:
        now = time.monotonic() - self._start
        if self.frames and now - self.frames[-1].at < self._every:
            return
        lines = tuple(map(self._line, range(self._screen.lines)))
        if not self.frames or lines != self.frames[-1].lines:
            self.frames.append(Frame(now, lines))

    def _line(self, row: int) -> Line:
        cells = [self._screen.buffer[row][column] for column in range(self._screen.columns)]
        pieces: list[Piece] = []
        for column, cell in enumerate(cells):
            colour = COLOURS.get(cell.fg.removeprefix("bright"), TEXT)
            if len(cell.fg) == 6 and cell.fg not in COLOURS:
                colour = f"#{cell.fg}"
            last = pieces[-1] if pieces else None
            if last and (last.colour, last.bold) == (colour, cell.bold):
                pieces[-1] = last._replace(text=last.text + cell.data)
            else:
                pieces.append(Piece(column, cell.data, colour, cell.bold))
        return tuple(piece for piece in pieces if piece.text.strip())


def quicker(
    frames: Sequence[Frame], *, speed: float, longest: float, hold: float
) -> list[tuple[float, Frame]]:
    """Return the frames with the time that each is shown: quicker, without long pauses."""
    shown = [
        (min(longest, (after.at - frame.at) / speed), frame) for frame, after in pairwise(frames)
    ]
    return [*shown, (hold, frames[-1])]


def write_svg(
    path: Path, shown: Sequence[tuple[float, Frame]], *, columns: int, title: str, hide: str
) -> None:
    """Draw the film; the directory `hide` is shown as ``~/daydream``."""
    rows = len(shown[0][1].lines)
    width, height = columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN + BAR
    numbers: dict[Line, int] = {}
    frames = []
    for index, (_, frame) in enumerate(shown):
        uses = []
        for row, line in enumerate(frame.lines):
            if line:
                number = numbers.setdefault(line, len(numbers))
                top = index * rows * HEIGHT + row * HEIGHT
                uses.append(f'<use href="#l{number}" y="{top:g}"/>')
        frames.append("".join(uses))
    drawn = "\n".join(
        f'<g id="l{number}">{_draw(line, hide)}</g>' for line, number in numbers.items()
    )
    total = sum(seconds for seconds, _ in shown)
    keys, at = [], 0.0
    for index, (seconds, _) in enumerate(shown):
        keys.append(
            f"{at / total * 100:.2f}%{{transform:translateY({-index * rows * HEIGHT:g}px)}}"
        )
        at += seconds
    last = -(len(shown) - 1) * rows * HEIGHT
    path.write_text(
        f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">
<title>{escape(title)}</title>
<style>
text{{font:14px {FONT};fill:{TEXT};white-space:pre}}
.b{{font-weight:700}}
.film{{transform:translateY({last:g}px);animation:film {total:.1f}s step-end infinite}}
@keyframes film{{{"".join(keys)}}}
@media (prefers-reduced-motion:reduce){{.film{{animation:none}}}}
</style>
<defs>
{drawn}
</defs>
<rect width="{width:g}" height="{height:g}" rx="8" fill="{GROUND}"/>
<path d="M18 16h0m18 0h0m18 0h0" stroke="#3b4048" stroke-width="10" stroke-linecap="round"/>
<svg x="{MARGIN:g}" y="{MARGIN + BAR:g}" width="{columns * WIDTH:g}" height="{rows * HEIGHT:g}">
<g class="film">
{chr(10).join(frames)}
</g>
</svg>
</svg>
""",
        encoding="utf-8",
    )


def _draw(line: Line, hide: str) -> str:
    texts = []
    for piece in line:
        stripped = piece.text.replace(hide, "~/daydream").rstrip()
        lead = len(stripped) - len(stripped.lstrip())
        text = stripped.lstrip()
        left = (piece.column + lead) * WIDTH
        colour = "" if piece.colour == TEXT else f' style="fill:{piece.colour}"'
        bold = ' class="b"' if piece.bold else ""
        # The width is given, so that columns stand below each other in any font.
        texts.append(
            f'<text x="{left:g}" y="14" textLength="{len(text) * WIDTH:g}"{bold}{colour}>'
            f"{escape(text, quote=False)}</text>"
        )
    return "".join(texts)
