"""A provider that starts its own model server: llama-server, vLLM, or any other with OpenAI's API.

The server is started at the first call of a process, on a free port of this machine, and serves
until the process ends, however it ends: it runs under a small supervisor that watches a pipe whose
other end only the process holds. So a cluster job or a shard has a server of its own.
"""

from __future__ import annotations

import atexit
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daydream.errors import CallError
from daydream.llm.providers.openai import OpenAIProvider
from daydream.llm.request import Request, Response, one_line

LOGS = Path("logs/servers")

# Ends the server when standard input does, which is when the process that started it is gone.
_SUPERVISOR = """
import os, subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def end():
    os.read(0, 1)
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
threading.Thread(target=end, daemon=True).start()
sys.exit(server.wait())
"""


class CommandProvider:
    """Answers through the server that `command` starts; ``{port}`` in it becomes a free port.

    It is asked as soon as a GET of `health` is answered with 200, which may take `start_timeout`
    seconds. Further `options` are those of an `OpenAIProvider`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_dir: Path,
        command: Sequence[str],
        health: str = "/health",
        start_timeout: float = 300,
        **options: Any,  # noqa: ANN401 - as the provider has them
    ) -> None:
        self._name = name
        self._base_dir = base_dir
        self._command = list(command)
        self._health = health
        self._start_timeout = start_timeout
        # Its server is on this machine: no proxy is to see the prompts.
        self._options = {"api_key_env": None, "proxies": False, **options}
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._client: OpenAIProvider | None = None

    def complete(self, request: Request, *, within: float | None = None) -> Response:
        """Return the server's answer, within so many seconds once it has started.

        Raises:
            CallError: the server did not start, or gave no answer.
        """
        with self._lock:
            if self._client is None:
                self._client = self._start()
        return self._client.complete(request, within=within)

    def check(self) -> None:
        """Look for the program.

        Raises:
            CallError: there is none of that name.
        """
        if shutil.which(self._command[0]) is None:
            raise CallError(
                f"provider {self._name!r}: found no program {self._command[0]!r}; install it, or "
                f"correct providers.{self._name}.command"
            )

    def close(self) -> None:
        """Stop the server."""
        with self._lock:
            server, self._server, client, self._client = self._server, None, self._client, None
        if client is not None:
            client.close()
        if server is not None and server.stdin is not None:
            server.stdin.close()
            server.wait()

    def _start(self) -> OpenAIProvider:
        port = _free_port()
        log = self._base_dir / LOGS / f"{self._name}-{port}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [argument.replace("{port}", str(port)) for argument in self._command]
        with log.open("wb") as output:
            self._server = subprocess.Popen(  # noqa: S603 - the user's own command
                [sys.executable, "-c", _SUPERVISOR, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._base_dir,
                # Not in the terminal's group: calls in flight at a Ctrl-C are still answered.
                start_new_session=True,
            )
        atexit.register(self.close)
        self._wait(f"http://127.0.0.1:{port}{self._health}", log)
        return OpenAIProvider(self._name, base_url=f"http://127.0.0.1:{port}/v1", **self._options)

    def _wait(self, url: str, log: Path) -> None:
        end = time.monotonic() + self._start_timeout
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while self._server is not None and self._server.poll() is None:
            try:
                with opener.open(url, timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > end:
                self._server.stdin.close() if self._server.stdin else None
                raise CallError(
                    f"provider {self._name!r}: {url} did not answer within "
                    f"{self._start_timeout:g} s; see {log}, or raise start_timeout"
                )
            time.sleep(0.05)
        lines = log.read_text(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        raise CallError(
            f"provider {self._name!r}: the server ended before it answered ({one_line(last)}); "
            f"fix its command, and see {log}"
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
