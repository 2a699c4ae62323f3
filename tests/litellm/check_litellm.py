"""Runs against a server that others wrote: LiteLLM's proxy, with a key, limits and its own count.

    uv run pytest -n 0 tests/litellm/check_litellm.py

It is installed for this check alone, as its dependencies are not those of the project, and its
model answers without a network (`mock_response`). What it has been asked is read from its log.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.project import ROOT, Project

KEY = "sk-litellm-check-0123456789"
LIMIT = 20
ANSWER = "A first line of an answer.\nSCORE: 7"
REQUIREMENT = "litellm[proxy]>=1.108,<1.109"


class Proxy:
    """The proxy, and how often it has answered with each status."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "proxy.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        models = [
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"openai/{name}",
                    "api_key": "none",
                    "mock_response": ANSWER,
                    **limits,
                },
            }
            for name, limits in {"mock": {}, "limited": {"rpm": LIMIT}}.items()
        ]
        settings = {
            "model_list": models,
            "general_settings": {"master_key": KEY},
            "router_settings": {"optional_pre_call_checks": ["enforce_model_rate_limits"]},
        }
        config = directory / "proxy.yaml"
        config.write_text(yaml.safe_dump(settings))
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        newest = project["tool"]["uv"]["exclude-newer"]
        command = ["uv", "tool", "run", "--exclude-newer", newest, "--from", REQUIREMENT, "litellm"]
        options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answers(self) -> Counter[int]:
        """Return how often it was asked for a completion, by the status of its answer."""
        found = re.findall(r'"POST /v1/chat/completions HTTP/1.1" (\d+)', self.log.read_text())
        return Counter(map(int, found))

    def _wait(self) -> None:
        url = f"http://127.0.0.1:{self.port}/health/liveliness"
        end = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.5)


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    assert shutil.which("uv"), "the proxy is installed by uv"
    proxy = Proxy(tmp_path_factory.mktemp("proxy"))
    yield proxy
    proxy.process.terminate()
    proxy.process.wait(60)


def connect(project: Project, proxy: Proxy, model: str) -> None:
    """Let the project's model be one of the proxy's."""
    project.serve(proxy.url)
    path = "data/1_raw/llm_models.csv"
    project.write(path, project.read(path).replace("echo-1", model))


def test_a_run_and_a_second_one(project: Project, proxy: Proxy) -> None:
    """Each generation is asked for once; the second run asks for nothing."""
    connect(project, proxy, "mock")
    before = proxy.answers()
    project.snakemake(env={"TEST_API_KEY": KEY})
    asked = proxy.answers() - before
    rows = project.membership()
    requests = {path.stem for path in project.path("data/gens").rglob("responses/*.json")}
    assert asked == {200: asked[200]}
    assert len(requests) <= asked[200] <= len(rows)
    assert {row["score"] for row in project.scores()} == {"7.0"}
    shutil.rmtree(project.path("data/cohorts/demo/reports"), ignore_errors=True)
    for path in project.path("data/gens").rglob("parsed.txt"):
        path.unlink()
    project.snakemake(env={"TEST_API_KEY": KEY})
    assert proxy.answers() - before == asked
    assert not project.holding(KEY)


def test_a_wrong_key_is_one_line(project: Project, proxy: Proxy) -> None:
    """In the words of the proxy; the key stands nowhere."""
    connect(project, proxy, "mock")
    wrong = "sk-wrong-9876543210"
    output = project.snakemake("drafts", code=1, env={"TEST_API_KEY": wrong})
    assert "[call] provider 'echo', model 'mock': answered 4" in output
    assert "Traceback" not in output
    assert wrong not in output
    assert not project.holding(wrong)


def test_a_limit_is_kept(project: Project, proxy: Proxy) -> None:
    """A pool with the proxy's limit asks for more than a minute's worth, and is not refused."""
    project.spec["axes"] |= {"combo_id": ["pair"], "draft_replicate": LIMIT + 5}
    for stage in project.config["stages"].values():
        stage["sampling"] = {"seed": "gen_id"}
    project.config["pools"] = {"echo": {"requests_per_minute": LIMIT}}
    connect(project, proxy, "limited")
    before = proxy.answers()
    project.snakemake("drafts", env={"TEST_API_KEY": KEY})
    assert proxy.answers() - before == {200: LIMIT + 5}
