"""A model server of the run's own: started at the first call, gone with the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daydream.errors import CallError
from daydream.llm.providers.command import CommandProvider
from daydream.llm.request import Request
from support.project import ROOT
from support.servers import processes


def request(**sampling: object) -> Request:
    return Request(
        provider="own",
        model="smollm2",
        messages=({"role": "user", "content": "Say hello."},),
        sampling={"max_tokens": 8, **sampling},
    )


def test_a_server_that_ends_at_once(tmp_path: Path) -> None:
    """Its last words are told."""
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    provider = CommandProvider("own", base_dir=tmp_path, command=command)
    with pytest.raises(CallError, match=r"ended before it answered \('no such model'\)"):
        provider.complete(request())


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    """It is stopped after start_timeout."""
    command = [sys.executable, "-c", "import time; time.sleep(100)"]
    provider = CommandProvider("own", base_dir=tmp_path, command=command, start_timeout=0.5)
    with pytest.raises(CallError, match=r"did not answer within 0\.5 s"):
        provider.complete(request())
    provider.close()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_the_real_server_answers_and_dies_with_its_process(tmp_path: Path) -> None:
    """Even if that process is killed."""
    paths = [str(ROOT / "scripts"), str(ROOT / "tests"), str(Path(__file__).parent)]
    script = f"""
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from daydream.llm.providers.command import CommandProvider
from support.servers import SERVER
from test_command import request
provider = CommandProvider("own", base_dir=Path({str(tmp_path)!r}), command=SERVER)
print(provider.complete(request()).text, flush=True)
time.sleep(100)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip()
        (log,) = (tmp_path / "logs/servers").iterdir()
        port = log.stem.rpartition("-")[2]
        assert processes(f"model_server.py\0{port}")
        os.kill(process.pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while processes(f"model_server.py\0{port}"):
        assert time.monotonic() < end
        time.sleep(0.1)
