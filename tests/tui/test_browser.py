"""The dashboard on a page of a headless Chromium, and who may open it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import browser, chromium
from tests.tui.conftest import Run
from tui.browsing import without_option

pytest.importorskip("textual_serve", reason="the extra 'browser' is not installed")
import aiohttp

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
ROOT = Path(__file__).parents[2]
DEMO = ROOT / "fixtures" / "demo" / "orders.jsonl.gz"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "tui.cli", "watch", str(DEMO), "--browser", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert f"http://127.0.0.1:{port}" in server.stderr.readline()
        yield f"http://127.0.0.1:{port}"
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def answer(url: str, **headers: str) -> int:
    async def asked() -> int:
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as found:
            return found.status

    return asyncio.run(asked())


def test_a_page_of_another_site_may_not_open_it(url: str) -> None:
    assert answer(url) == 200
    assert answer(url, Host="shop.example") == 403
    assert answer(url, Origin="http://shop.example") == 403
    assert answer(f"{url}/ws", Origin="http://shop.example") == 403


def test_a_session_draws_the_recording(url: str) -> None:
    async def drawn() -> str:
        seen = b""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/ws?width=120&height=30") as page,
        ):
            until = time.monotonic() + 60
            while b"crashed" not in seen and time.monotonic() < until:
                message = await page.receive(timeout=60)
                if message.type is aiohttp.WSMsgType.BINARY:
                    seen += message.data
        return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen).decode("utf-8", "replace")

    text = asyncio.run(drawn())
    assert "stuck" in text
    assert "crashed" in text


@pytest.mark.skipif(chromium() is None, reason="no Chromium here: set CHROMIUM to one")
def test_a_browser_shows_it_and_asks_nobody_else(url: str, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        page.look(1200)
        page.open(url)
        begun = "document.body.classList.contains('-first-byte')"
        until = time.monotonic() + 60
        while not page.evaluate(begun) and time.monotonic() < until:
            time.sleep(0.2)
        assert page.evaluate(begun)
        path = Path(os.environ.get("REPORT_SCREENSHOTS", str(tmp_path))) / "dashboard.png"
        while len(page.screenshot(path)) < 50_000 and time.monotonic() < until:
            time.sleep(0.2)  # while it loads there is hardly anything to see
        assert path.stat().st_size > 50_000
        own = (url, url.replace("http", "ws"), "data:", "blob:")
        assert not [one for one in page.requests if not one.startswith(own)]
        assert not [said for said in page.console if "error" in said.lower()]


def test_without_the_option_it_is_the_same_command() -> None:
    for given in (["--browser"], ["--browser", "8000"], ["--browser=8000"]):
        assert without_option(["watch", *given, "a file"]) == ["watch", "a file"]
    assert without_option(["watch", "8000", "--browser"]) == ["watch", "8000"]


def test_what_can_be_opened_once_is_not_for_a_browser(run: Run) -> None:
    for given in (("--otlp",), ("-",)):
        result = run("watch", *given, "--browser")
        assert result.code == 2
        assert "choreoscope serve" in result.err
