"""A page in headless Chromium over the DevTools protocol: run scripts, read the console, take pictures."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
STARTS_WITHIN_S = 180


class Page:
    """An open page. ``complaints`` are exceptions, errors of the console and of loading, in the order in which they came."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0
        self.complaints: list[str] = []

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Answer of one command of the protocol."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": arguments})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        if message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])
        if message.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.complaints.append(str(params["args"]))

    async def do(self, script: str) -> Any:
        """Value of a script, after its promise if it is one."""
        found = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, script: str, seconds: float = 120) -> None:
        """Wait until a script's value is true."""
        last = time.monotonic() + seconds
        while not await self.do(script):
            assert time.monotonic() < last, f"not within {seconds} s: {script}"
            await asyncio.sleep(0.1)

    async def save(self, path: Path, whole: bool = False) -> None:
        """A picture of what is on the screen, or of the whole page."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


def visit(address: str, actions: Callable[[Page], Awaitable[Any]]) -> Any:
    """Open a page in a browser of its own, wait until it is loaded, and give what ``actions`` gives."""
    return asyncio.run(_visit(address, actions))


async def _visit(address: str, actions: Callable[[Page], Awaitable[Any]]) -> Any:
    from aiohttp import ClientSession

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen([*CHROMIUM, f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = await _port(Path(profile, "DevToolsActivePort"), browser)
            async with ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as listed:
                    target = next(entry for entry in json.loads(await listed.text()) if entry["type"] == "page")
                async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Page(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await page.call(f"{domain}.enable")
                    await page.call("Page.navigate", url=address)
                    await page.until("document.readyState === 'complete' && location.href !== 'about:blank'", 120)
                    return await actions(page)
        finally:
            browser.terminate()
            browser.wait(timeout=30)


async def _port(file: Path, browser: subprocess.Popen) -> int:
    """The port that the browser writes down once it listens."""
    last = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < last:
        assert browser.poll() is None, "chromium has ended by itself"
        if file.exists() and file.read_text().count("\n") >= 1:
            return int(file.read_text().split("\n")[0])
        await asyncio.sleep(0.1)
    raise AssertionError(f"chromium does not listen after {STARTS_WITHIN_S} s")
