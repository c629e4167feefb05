"""The Markdown report: tables and folds of GitHub, inert names, never too long for a comment."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from analyzer.analysis import Analysis
from analyzer.finding import Hotspot
from analyzer.reporters.context import Context
from analyzer.reporters.markdown import LIMIT
from tests.support.analysis_builder import build, hostile_shop, order, shop
from tests.support.hostile import HOSTILE
from tests.support.reports import ANALYSES, SECTIONS, large, render

names = pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))
OURS = re.compile(r"</?details>|</?summary>|</?pre>|&[a-z0-9#]+;")


def tokens(text: str) -> list[Token]:
    """Blocks and what is inside them."""
    reader = MarkdownIt("gfm-like")
    assert reader.linkify is not None
    reader.linkify.set({"fuzzy_link": False})  # GitHub links no bare "order.id", other readers do
    every = reader.parse(text)
    return [token for block in every for token in (block, *(block.children or ()))]


def check(text: str) -> None:
    found = tokens(text)
    kinds = {token.type for token in found}
    assert not kinds & {"link_open", "image", "html_inline", "code_inline", "s_open", "hr"}
    for token in found:
        if token.type == "html_block":
            assert not re.search(r"[<>]", OURS.sub("", token.content)), token.content
        if token.type == "fence":
            assert token.info == "mermaid"
    tables = [row for row in text.splitlines() if row.startswith("| ")]
    assert tables
    for row in tables:
        assert row.endswith(" |")


@pytest.mark.parametrize("analysis", [shop(), hostile_shop("a|b"), ANALYSES["damaged"]])
def test_it_is_what_github_renders(analysis: Analysis) -> None:
    check(render("markdown", analysis, Context(sections=SECTIONS, where="state:stuck")))


@names
def test_hostile_names_are_text_only(name: str) -> None:
    text = render("markdown", hostile_shop(name), Context(sources=(name,), where=name))
    check(text)
    rows = [t for t in tokens(text) if t.type == "tr_open"]
    clean = render("markdown", hostile_shop("clean"), Context(sources=("x",), where="x"))
    assert len(rows) == len([t for t in tokens(clean) if t.type == "tr_open"])
    assert len(text) < LIMIT


def test_names_call_nobody() -> None:
    """GitHub and GitLab look for mentions and references in the finished page."""
    text = render("markdown", hostile_shop("@octocat #12 !7 GH-4"))
    prose = re.sub(r"<pre>.*?</pre>|```.*?```", "", text, flags=re.DOTALL).replace("&#8203;", "|")
    assert "@|octocat" in prose
    assert not re.search(r"@octocat|#12|!7|GH-4", prose)


@pytest.mark.parametrize("findings", [1_000, 10_000])
def test_a_comment_is_never_too_long_and_says_what_was_cut(findings: int) -> None:
    text = render("markdown", large(findings))
    assert len(text) <= LIMIT
    assert f"+{findings - 15:,} more groups" in text


def test_parts_that_do_not_fit_are_named() -> None:
    wide = tuple(Hotspot("hub", ("a",), 0.5, {}, "*" * 400) for _ in range(8))
    names = Context(sources=tuple("`" * 60 + str(n) for n in range(3)), where="|" * 400)
    big = large(50, words=60)
    cases = tuple(replace(w, name=f"{'[' * 100}{n}") for n, w in enumerate(big.workflows * 12))
    notes = tuple("_" * 4000 for _ in range(99))
    intake = replace(big.recording.intake, warnings=notes)
    analysis = replace(
        big, hotspots=wide, workflows=cases, recording=replace(big.recording, intake=intake)
    )
    text = render("markdown", analysis, names)
    assert len(text) <= LIMIT
    if "_Cut to fit into a comment:" not in text:
        assert len(text) > 30_000  # it did fit


def test_a_healthy_run_is_short() -> None:
    text = render("markdown", build([order("a"), order("b")]))
    assert text.startswith("## ● Nothing wrong in 2 workflow instances")
    assert "None about instances" in text
