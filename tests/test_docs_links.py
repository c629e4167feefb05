"""What the documents point at is there: files, headings and make targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("fixtures/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TARGET = re.compile(r"`make ([a-z-]+)")


def prose(text: str) -> str:
    """The text without fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings, and those set by hand."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(text), flags=re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
    return made | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def broken_links(document: Path) -> list[str]:
    """Relative links of `document` whose file or heading does not exist."""
    broken = []
    for link in LINK.findall(prose(document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name) if name else document
        if not target.exists():
            broken.append(f"{link}: no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
            broken.append(f"{link}: no such heading")
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {(p.name, t) for p in DOCUMENTS for t in TARGET.findall(p.read_text())}
    assert {(name, target) for name, target in named if target not in targets} == set()


def test_broken_links_are_found(tmp_path: Path) -> None:
    """The check sees a missing file, a missing heading, and leaves the web alone."""
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` heading\n[x](#a-b-heading) [y](#none) [z](gone.md) [w](https://example.org)\n"
        "```\n[inside](a-fence.md)\n```\n"
    )
    assert broken_links(page) == ["#none: no such heading", "gone.md: no such file"]
