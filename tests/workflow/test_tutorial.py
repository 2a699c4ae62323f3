"""docs/tutorial.md: its files and commands, one after another, with a server as its provider.

Comments in the page, which no reader sees, say what the block after them is:

    <!-- file: PATH -->             the whole of a file
    <!-- add: PATH -->              lines to append to it
    <!-- replace: PATH -->          lines that take the place of the one with the first one's key
    <!-- run -->                    a command
    <!-- output -->                 what stands in the output of the command before
    <!-- edit: PATH: OLD: NEW -->   what the text asks for
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

from support.project import ROOT, Project
from support.provider_server import ProviderServer

PAGE = (ROOT / "docs/tutorial.md").read_text()
STEP = re.compile(r"<!-- (\w+)(?:: (.*?))? -->")
BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = ("data/1_raw", "data/combo_mappings.csv", "config/config.yaml", "data/cohorts/demo")


def steps() -> Iterator[tuple[str, str, str]]:
    """Yield each step's kind, its argument and the block that follows it."""
    for match in STEP.finditer(PAGE):
        block = BLOCK.search(PAGE, match.end())
        assert block, match[0]
        yield match[1], match[2] or "", block[1]


@pytest.fixture
def clone(project: Project) -> Project:
    """Return a directory with what a clone has, as far as the tutorial needs it."""
    shutil.rmtree(project.path("data"))
    for name in OURS:
        source, target = ROOT / name, project.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("reports"))
        else:
            shutil.copy(source, target)
    return project


def test_the_tutorial_from_beginning_to_end(clone: Project) -> None:
    """Its commands end well, print what it says, and ask what it says."""
    clone.write(".env", "OPENROUTER_API_KEY=sk-or-test\n")
    asked: list[int] = []
    with ProviderServer() as server:
        clone.edit("config/config.yaml", "https://openrouter.ai/api/v1", server.url)
        for kind, argument, block in steps():
            if kind == "file":
                clone.write(argument, block)
            elif kind == "add":
                clone.write(argument, clone.read(argument) + block)
            elif kind == "replace":
                key = block.split(":")[0]
                found = re.search(rf"^{key}:.*\n", clone.read(argument), re.MULTILINE)
                assert found
                clone.edit(argument, found[0], block)
            elif kind == "edit":
                path, old, new = argument.split(": ")
                clone.edit(path, old, new)
            elif kind == "run":
                (command,) = block.splitlines()
                assert command.startswith("$ uv run snakemake ")
                clone.run(*shlex.split(command)[4:])
                asked.append(len(server.history))
            else:
                assert kind == "output"
                assert block in clone.output
        history = list(server.history)
    # combos and plan ask nothing, the run asks for everything, the second plan for nothing
    assert asked == [0, 0, 12 + 24 + 96, 12 + 24 + 96]
    assert {call.headers["authorization"] for call in history} == {"Bearer sk-or-test"}
    models = Counter(str(call.body["model"]) for call in history)
    assert models == dict.fromkeys(("google/gemini-2.5-flash", "openai/gpt-4.1-mini"), 66)
    assert "12 " in clone.output
    reports = clone.path("data/cohorts/mine/reports")
    for name in re.findall(r"`((?:summary|analysis)/\w+\.csv|\w+(?:/index)?\.html)`", PAGE):
        assert (reports / name).stat().st_size, name
    board = (reports / "summary/leaderboard.csv").read_text().splitlines()
    assert len(board) == 1 + 4
    for column in ("rank_low", "rank_high", "p_best"):
        assert column in board[0]
