"""A headless Chromium, driven over its debugging pipe: no port, no network, no extra package."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
         "chrome-headless-shell")  # fmt: skip
PATIENCE_S = 60.0
# Chromium reads its pipe from descriptor 3 and writes to 4.
LAUNCHER = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def chromium() -> str | None:
    """The browser's path: `CHROMIUM`, or what the search path has."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Page:
    """One tab, and everything that it asked for or complained about."""

    process: subprocess.Popen[bytes]
    writer: int
    reader: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    _rest: bytes = b""
    _number: int = 0
    _events: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol and wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        """Load a page, and wait until it and all that it asks for is there."""
        self._events.clear()
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._events:
            self._next()
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, also of a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def look(self, width: int = 1280, dark: bool = False, paper: bool = False) -> None:
        """Set the width of the window, the colour scheme and the medium."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call(
            "Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme]
        )

    def screenshot(self, path: Path, clip: tuple[int, int, int, int] | None = None) -> bytes:
        """A PNG of the whole page, or of (x, y, width, height)."""
        more: dict[str, Any] = {}
        if clip is not None:
            x, y, width, height = clip
            more["clip"] = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, **more)
        image = base64.b64decode(shot["data"])
        path.write_bytes(image)
        return image

    def pdf(self, path: Path) -> bytes:
        """The page as it prints on A4."""
        self.call("Emulation.setEmulatedMedia", media="print")
        printed = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        data = base64.b64decode(printed["data"])
        path.write_bytes(data)
        return data

    def _next(self) -> dict[str, Any]:
        """The next message; events are noted."""
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.reader], [], [], max(until - time.monotonic(), 0))
            piece = os.read(self.reader, 1 << 20) if ready else b""
            if not piece:
                raise RuntimeError("the browser went away, or took too long")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._note(message["method"], message["params"])
        return message

    def _note(self, method: str, event: dict[str, Any]) -> None:
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        elif method == "Log.entryAdded":
            self.console.append(event["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(str([a.get("value") for a in event["args"]]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(event["exceptionDetails"].get("text")))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A fresh browser with its profile in `folder`; it ends with the block."""
    path = chromium()
    if path is None:
        raise FileNotFoundError("no Chromium")
    read_end, writer = os.pipe()
    reader, write_end = os.pipe()
    arguments = [
        path, "--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
        "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}", "about:blank",
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.insert(1, "--no-sandbox")  # the sandbox refuses root, as in a container
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(read_end), str(write_end), *arguments],
            pass_fds=(read_end, write_end), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    os.close(read_end)
    os.close(write_end)
    page = Page(process, writer, reader)
    try:
        _attach(page)
        yield page
    finally:
        page.session = ""
        with suppress(RuntimeError, OSError):
            page.call("Browser.close")  # it tidies its profile up
        os.close(writer)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(reader)


def _attach(page: Page) -> None:
    targets = page.call("Target.getTargets")["targetInfos"]
    target = next(t["targetId"] for t in targets if t["type"] == "page")
    attached = page.call("Target.attachToTarget", targetId=target, flatten=True)
    page.session = attached["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        page.call(f"{domain}.enable")
