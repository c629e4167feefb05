"""The HTML report in a headless Chromium: no request, no complaint, readable in every dress.

Skipped where there is no Chromium; `CHROMIUM` names one that is not on the path, and
`REPORT_SCREENSHOTS` a folder that keeps the pictures.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from analyzer import analyze
from analyzer.reporters.context import Context
from tests.support.analysis_builder import hostile_shop, shop
from tests.support.browser import Page, browser, chromium
from tests.support.hostile import HOSTILE
from tests.support.reports import SECTIONS, large, render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),  # one browser at a time
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: set CHROMIUM to one"),
]

DEMO = Path(__file__).parents[2] / "fixtures" / "demo" / "orders.jsonl.gz"
PAGES = ("demo", "shop", "large", "hostile")
DRESSES = {
    "light": {"width": 1280},
    "dark": {"width": 1280, "dark": True},
    "narrow": {"width": 360},
    "narrow-dark": {"width": 360, "dark": True},
    "print": {"width": 700, "paper": True},
}

# WCAG 2.1: every text against what lies behind it, in HTML and in SVG.
CONTRAST = """
(() => {
  const parse = c => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const linear = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const solid = c => c.length < 4 || c[3] === 1;
  const behind = (element, x, y) => {
    const shapes = document.elementsFromPoint(x, y);
    for (const other of shapes.slice(shapes.indexOf(element) + 1)) {
      if (other.closest('svg') && other.tagName !== 'svg') {
        const style = getComputedStyle(other);
        if (other.tagName === 'rect' && style.fill !== 'none') return parse(style.fill);
        continue;
      }
      const ground = parse(getComputedStyle(other).backgroundColor);
      if (solid(ground) && getComputedStyle(other).backgroundColor !== 'rgba(0, 0, 0, 0)')
        return ground;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const element = node.parentElement;
    if (!node.data.trim() || ['title', 'desc', 'STYLE'].includes(element.tagName)) continue;
    if (!element.checkVisibility()) continue;
    element.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const x = box.left + Math.min(box.width / 2, 20), y = box.top + box.height / 2;
    if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest('svg') ? style.fill : style.color);
    const pair = [light(ink), light(behind(element, x, y))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const size = parseFloat(style.fontSize), heavy = parseInt(style.fontWeight) >= 700;
    const least = size >= 24 || (size >= 18.66 && heavy) ? 3 : 4.5;
    if (ratio < least) bad.push([node.data.trim().slice(0, 40), ratio.toFixed(2), style.fill]);
  }
  return bad;
})()
"""
# What is wider than the window, outside of frames that scroll by themselves.
WIDER = """
[...document.querySelectorAll('body *')].filter(e =>
  !e.closest('.frame') && !e.closest('pre') && !e.closest('.skip') && !e.closest('svg') &&
  e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each report as a file."""
    folder = tmp_path_factory.mktemp("reports")
    evil = "<script>document.title='pwned'</script><img src=x onerror=alert(1)>" + HOSTILE["rtl"]
    made = {
        "demo": render("html", analyze(DEMO), Context(sources=(DEMO.name,))),
        "shop": render("html", shop(), Context(sections=SECTIONS)),
        "large": render("html", large(2_000)),
        "hostile": render("html", hostile_shop(evil), Context(sources=(evil,), where=evil)),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.parametrize("name", PAGES)
def test_a_report_asks_for_nothing_and_complains_of_nothing(
    page: Page, files: dict[str, Path], name: str
) -> None:
    page.requests.clear()
    page.console.clear()
    page.look()
    page.open(files[name].as_uri())
    assert page.requests == [files[name].as_uri()]
    assert page.console == []
    assert "pwned" not in page.evaluate("document.title")[:20]
    assert page.evaluate("document.scripts.length") == 0
    # The one style is the one that the policy knows: it was applied.
    assert page.evaluate("getComputedStyle(document.querySelector('.skip')).position") == "absolute"


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("name", PAGES)
def test_every_text_stands_out_and_nothing_is_cut_off(
    page: Page, files: dict[str, Path], name: str, dress: str
) -> None:
    page.look(**DRESSES[dress])
    page.open(files[name].as_uri())
    if "print" not in dress:
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(WIDER) == []
    if name != "large":  # the same elements as in the others, many times
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("name", ["demo", "shop"])
def test_pictures_of_it_are_no_blank_sheets(
    page: Page, files: dict[str, Path], name: str, dress: str, tmp_path: Path
) -> None:
    keep = os.environ.get("REPORT_SCREENSHOTS")
    folder = Path(keep) if keep else tmp_path
    page.look(**DRESSES[dress])
    page.open(files[name].as_uri())
    image = page.screenshot(folder / f"{name}-{dress}.png")
    width, height, colours = measured(image)
    assert width == DRESSES[dress]["width"]
    assert height > 900
    assert colours > 40
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == ("dark" not in dress)


def measured(png: bytes) -> tuple[int, int, int]:
    """Width, height, and how many different lines of pixels an 8-bit PNG has."""
    width, height, _, kind = struct.unpack(">IIBB", png[16:26])
    position, packed = 8, b""
    while position < len(png):
        size, name = struct.unpack(">I4s", png[position : position + 8])
        if name == b"IDAT":
            packed += png[position + 8 : position + 8 + size]
        position += 12 + size
    raw, line = zlib.decompress(packed), 1 + width * (4 if kind == 6 else 3)
    return width, height, len({raw[n : n + line] for n in range(0, len(raw), line)})


def test_it_prints_without_what_is_folded(
    page: Page, files: dict[str, Path], tmp_path: Path
) -> None:
    page.look()
    page.open(files["demo"].as_uri())
    folder = os.environ.get("REPORT_SCREENSHOTS")
    printed = page.pdf(Path(folder or tmp_path) / "demo.pdf")
    assert printed.startswith(b"%PDF-")
    page.look(**DRESSES["print"])
    shown = "[...document.querySelectorAll('details, nav')].filter(e => e.checkVisibility()).length"
    assert page.evaluate(shown) == 0
    page.look(dark=True, paper=True)  # paper is white whatever the screen is
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on the loopback, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"document.title='pwned'")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_policy_stops_what_escaping_might_miss(
    page: Page, files: dict[str, Path], tmp_path: Path, listener: tuple[str, list[str]]
) -> None:
    """The same page with an attack written into it by hand: nothing runs, nothing is fetched."""
    base, asked = listener
    attack = f"""
      <script>document.title = 'pwned'</script>
      <script src="{base}/script"></script>
      <img src="{base}/image" onerror="document.title = 'pwned'">
      <link rel="stylesheet" href="{base}/style">
      <style>body {{ background: url({base}/ground); color: rgb(1, 2, 3) !important }}</style>
      <iframe src="{base}/frame"></iframe>
      <object data="{base}/object"></object>
      <video src="{base}/video" autoplay></video>
      <svg><image href="{base}/svg"/><use href="{base}/use#a"/></svg>
      <p id="styled" style="position: fixed">x</p>
      <form id="form" action="{base}/form"><input name="a"></form>
    """
    text = files["shop"].read_text(encoding="utf-8")
    target = tmp_path / "attacked.html"
    target.write_text(text.replace("<main", attack + "<main", 1), encoding="utf-8")
    page.look()
    page.open(target.as_uri())
    page.evaluate("document.getElementById('form').submit()")
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert asked == []
    assert "pwned" not in page.evaluate("document.title")
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    styled = "getComputedStyle(document.getElementById('styled')).position"
    assert page.evaluate(styled) == "static"
    # The listener is there: without the policy the same attack reaches it.
    open_text = target.read_text(encoding="utf-8").replace("Content-Security-Policy", "X-None")
    target.write_text(open_text, encoding="utf-8")
    page.open(target.as_uri())
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert {"/image", "/script"} <= set(asked)
    page.open("about:blank")


def test_folds_open_and_the_contents_lead_to_their_sections(
    page: Page, files: dict[str, Path]
) -> None:
    """Everything works by keyboard and without a script."""
    page.look()
    page.open(files["shop"].as_uri())
    opened = "document.querySelector('details').open"
    assert page.evaluate(opened) is False
    page.evaluate("document.querySelector('summary').click()")
    assert page.evaluate(opened) is True
    page.evaluate("document.querySelector('nav a[href=\"#data\"]').click()")
    assert page.evaluate("location.hash") == "#data"
    frames = "[...document.querySelectorAll('.frame')].every(f => f.tabIndex === 0)"
    assert page.evaluate(frames)
