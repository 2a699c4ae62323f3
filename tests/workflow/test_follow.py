"""`snakemake follow`: pages beside a run, which waits for nothing and loses nothing."""

from __future__ import annotations

import signal

from daydream.files import HOST
from support.background import Run, until
from support.project import Project
from support.provider_server import ProviderServer

LIVE = "data/cohorts/c1/reports/explorer/live.html"


def test_pages_follow_a_run_to_its_end(project: Project) -> None:
    """The run's lock stays, each generation is asked for once, and only the run's page remains."""
    live = project.path(LIVE)
    with ProviderServer(latency=3) as server:
        project.serve(server.url)
        run = Run(project, "--cores", "4", "explorer")
        until(lambda: server.history)
        follower = Run(project, "--cores", "1", "follow", "--config", "follow=0.5")
        until(live.exists)
        first = live.stat().st_mtime_ns
        until(lambda: live.stat().st_mtime_ns > first)
        server.latency = 0
        output = run.wait()
        assert run.process.returncode == 0, output
        said = follower.wait()
        assert follower.process.returncode == 0, said
        assert LIVE in said
        assert not live.exists()
        assert project.path("data/cohorts/c1/reports/explorer/index.html").exists()
        calls = sum(row["template_id"] != "same" for row in project.membership())
        assert len(server.history) == calls


def test_following_ends_with_ctrl_c(project: Project) -> None:
    """At once, and without a trace."""
    with ProviderServer(latency=3) as server:
        project.serve(server.url)
        run = Run(project, "--cores", "4", "explorer")
        until(lambda: server.history)
        follower = Run(project, "--cores", "1", "follow")
        until(project.path(LIVE).exists)
        follower.signal(signal.SIGINT)
        said = follower.wait(20)
        assert "Traceback" not in said
        assert not project.path(LIVE).exists()
        server.latency = 0
        assert run.wait()
        assert run.process.returncode == 0


def test_those_who_follow_do_not_keep_each_other(project: Project) -> None:
    """Two of them end with the run; so does one that a run finds here after another was killed."""
    with ProviderServer(latency=3) as server:
        project.serve(server.url)
        killed = Run(project, "--cores", "4", "explorer")
        until(lambda: server.history)
        followers = [
            Run(project, "--cores", "1", "follow", "--config", f"follow={every}")
            for every in (0.5, 20)
        ]
        until(project.path(LIVE).exists)
        killed.signal(signal.SIGKILL)
        killed.wait()
        assert list(project.path(".snakemake/locks").glob("*.lock"))
        server.latency = 0
        run = Run(project, "--cores", "4", "explorer")
        output = run.wait()
        assert run.process.returncode == 0, output
        for follower in followers:
            said = follower.wait()
            assert follower.process.returncode == 0, said


def test_who_follows_does_not_hide_that_a_run_was_killed(project: Project) -> None:
    """The next run removes what it had left."""
    with ProviderServer(latency=3) as server:
        project.serve(server.url)
        killed = Run(project, "--cores", "4", "explorer")
        until(lambda: server.history)
        follower = Run(project, "--cores", "1", "follow", "--config", "follow=0.5")
        until(project.path(LIVE).exists)
        killed.signal(signal.SIGKILL)
        killed.process.wait()
        project.write(f"data/gens/draft/d_1/parsed.txt.{HOST}.{killed.process.pid}-2.tmp", "half")
        assert follower.wait()
        server.latency = 0
        project.snakemake("--cores", "4")
        assert not list(project.path("data").rglob("*.tmp"))
