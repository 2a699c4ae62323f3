"""What stands on the terminal during a run, against the server's own count."""

from __future__ import annotations

import os
import re
import sys
import time

import pytest

from support.project import Project
from support.provider_server import ProviderServer, Reply, failure
from support.terminal import Terminal, terminal

SHARE = re.compile(r"([\d,]+) of ([\d,]+) answers \((\d+) %\)")


def share_on(screen: Terminal) -> tuple[int, int] | None:
    for line in screen.lines():
        if found := SHARE.search(line):
            return int(found[1].replace(",", "")), int(found[2].replace(",", ""))
    return None


@pytest.mark.parametrize(("rows", "columns", "drafts"), [(24, 80, 25), (40, 120, 10)])
def test_a_run_on_a_terminal(project: Project, rows: int, columns: int, drafts: int) -> None:
    """Up to 300 answers, a fifth of the requests fails first: the share shown is that of calls."""
    project.spec["axes"] |= {"draft_replicate": drafts, "evaluation_replicate": 2}
    project.save()
    requests = whole = 0

    def answer(body: dict[str, object]) -> str | Reply:
        nonlocal requests, whole
        requests += 1
        if requests % 5 == 0:
            return failure(500, "busy")
        whole += 1
        return "Some words of an answer.\nSCORE: 5"

    with ProviderServer(latency=0.2, answer=answer) as server:
        project.serve(server.url, max_attempts=30, first_wait=0.01)
        targets = ["scores", "drafts", "essays", "evaluations"]
        command = [sys.executable, "-m", "snakemake", "--cores", "4", "--", *targets]
        env = {**os.environ, "TEST_API_KEY": "sk-test-secret"}
        with terminal(
            command, directory=project.dir, env=env, rows=rows, columns=columns
        ) as screen:
            seen = []
            counts = [0] * 8
            end = time.monotonic() + 100
            while screen.process.poll() is None and time.monotonic() < end:
                time.sleep(0.25)
                counts.append(whole)
                found = share_on(screen)
                if found and found[1] and whole > 2 * drafts * (len(seen) + 1):
                    seen.append((found, (counts[-8], whole), screen.lines()))
            code = screen.wait()
            last = screen.lines()
    assert code == 0, "\n".join(last)
    assert len(seen) >= 3
    total = seen[-1][0][1]
    assert total == whole
    for (done, expected), (earlier, now), lines in seen:
        # The screen is drawn twice per second, later on a busy machine: it may be two seconds old.
        share = done / expected
        assert earlier / total - 0.05 <= share <= now / total + 0.05, lines
        panel = [line for line in lines if line.startswith(("╭", "│", "╰"))]
        assert len(panel) >= 3
        assert {len(line) for line in panel} == {columns}
        text = "\n".join(panel)
        assert "calls per second" in text
        assert "asked again" in text
        assert " left" in text or done > 0.9 * expected
    assert any("Results:" in line for line in last) or any("complete" in line for line in last)
