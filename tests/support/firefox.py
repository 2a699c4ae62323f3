"""Debian's Firefox, for Playwright: run in its place, this starts it and hears what is said.

Playwright drives Firefox by WebDriver BiDi. For each new context it also sends a command that
Debian's Firefox does not know yet, to set the colours of pages, and gives up when this one is
refused. So this stands between the two, as a server of WebSockets: it answers that command itself
and passes on all else. Once Firefox knows it, Playwright can start Firefox alone.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
UNKNOWN = "emulation.setMediaFeaturesOverride"


async def run(arguments: list[str]) -> int:
    """Run Firefox, with this between it and whoever connects to it; return its exit code."""
    firefox = await asyncio.create_subprocess_exec(
        str(FIREFOX), *arguments, stderr=asyncio.subprocess.PIPE
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, firefox.terminate)
    assert firefox.stderr is not None
    async for line in firefox.stderr:
        text = line.decode()
        if told := re.search(r"WebDriver BiDi listening on (ws://\S+)", text):
            text = text.replace(told[1], await _listen(f"{told[1]}/session"))
        sys.stderr.write(text)
        sys.stderr.flush()
    return await firefox.wait()


async def _listen(address: str) -> str:
    """Listen for Playwright, and return where; what it sends goes to the `address` of Firefox."""

    async def relay(playwright: ServerConnection) -> None:
        async with connect(address, max_size=None, compression=None) as firefox:

            async def forth() -> None:
                async for message in playwright:
                    said = json.loads(message)
                    if said["method"] == UNKNOWN:
                        answer = {"type": "success", "id": said["id"], "result": {}}
                        await playwright.send(json.dumps(answer))
                    else:
                        await firefox.send(message)
                await firefox.close()

            sent = asyncio.create_task(forth())
            try:
                async for message in firefox:
                    await playwright.send(message)
            except ConnectionClosed:
                pass
            sent.cancel()

    server = await serve(relay, "127.0.0.1", 0, max_size=None, compression=None)
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return f"ws://{host}:{port}"


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
