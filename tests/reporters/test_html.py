"""The HTML report: well formed, inert, complete on its own, bounded, and the same every time."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib
import pytest

from analyzer.analysis import Analysis
from analyzer.escape import escape
from analyzer.reporters.context import Context
from analyzer.reporters.html import findings, lanes_picture
from analyzer.reporters.html.markup import Html, join, tag, text
from analyzer.reporters.html.page import PARTS, policy, style
from tests.support.analysis_builder import (
    MS,
    Case,
    Step,
    build,
    hostile_shop,
    order,
    shop,
    stuck_finding,
)
from tests.support.hostile import HOSTILE
from tests.support.reports import ANALYSES, SECTIONS, large, render

ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "h2", "h3", "p", "b",
    "span", "code", "pre", "dl", "div", "dt", "dd", "ul", "li", "nav", "main", "section", "article",
    "figure", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td", "details",
    "summary", "footer", "svg", "desc", "defs", "marker", "path", "rect", "line", "circle", "text",
    "g",
}  # fmt: skip

names = pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))
analyses = pytest.mark.parametrize("analysis", list(ANALYSES.values()), ids=list(ANALYSES))


def parse(page: str) -> Element:
    """The document; a parse error of the HTML standard is an error here."""
    tree: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    return tree


def local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def check(page: str) -> Element:
    """Parses it and holds it against what the page may contain."""
    tree = parse(page)
    for element in tree.iter():
        assert local(element) in ELEMENTS, element.tag
        for attribute, value in element.attrib.items():
            name = attribute.rpartition("}")[2].lower()
            assert not name.startswith("on")
            assert name not in {"style", "src", "srcset", "action", "background"}
            if name == "href":
                assert value.startswith("#")
    return tree


# -- form -----------------------------------------------------------------------------------------


@analyses
def test_a_page_has_no_parse_error_and_no_foreign_element(analysis: Analysis) -> None:
    for context in (Context(), Context(sections=SECTIONS, where="state:stuck")):
        check(render("html", analysis, context))


@names
def test_hostile_names_are_text_only(name: str) -> None:
    tree = check(render("html", hostile_shop(name), Context(sources=(name,), where=name)))
    assert escape(name)[:200].strip() in "".join(tree.itertext())


def test_the_policy_allows_the_one_style_and_nothing_else() -> None:
    page = render("html", shop())
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    assert f"<style>{style()}</style>" in page
    assert policy() == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    head = page[: page.index("<style>")]
    assert f'http-equiv="Content-Security-Policy" content="{policy()}"' in head


def test_the_page_asks_the_network_for_nothing() -> None:
    page = render("html", shop())
    assert "url(" not in style()
    assert "@import" not in style()
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {"#arrow-calm", "#arrow-failing"}
    assert not re.search(r"https?://", page.replace("http-equiv", ""))


def test_identities_are_unique_and_links_lead_to_them() -> None:
    tree = parse(render("html", shop(), Context(sections=SECTIONS)))
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(set(ids)) == len(ids)
    links = [e.attrib["href"][1:] for e in tree.iter() if "href" in e.attrib]
    assert set(links) <= set(ids)
    assert {anchor for anchor, _, _ in PARTS} <= set(ids)


# -- for those who cannot see it ------------------------------------------------------------------


@analyses
def test_headings_pictures_and_tables_speak_for_themselves(analysis: Analysis) -> None:
    tree = parse(render("html", analysis, Context(sections=SECTIONS)))
    levels = [int(local(e)[1]) for e in tree.iter() if re.fullmatch("h[1-6]", local(e))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for element in tree.iter():
        if local(element) == "svg":
            assert element.attrib["role"] == "img"
            assert element.attrib["aria-label"].strip()
        if local(element) == "table":
            assert words(element[0])
            assert local(element[0]) == "caption"
        if local(element) == "th":
            assert element.attrib["scope"] in {"row", "col"}
        if element.attrib.get("class") == "frame":
            assert element.attrib["tabindex"] == "0"
            assert element.attrib["aria-label"]


def test_states_are_told_by_a_word_and_a_glyph_not_by_colour_alone() -> None:
    tree = parse(render("html", shop()))
    shown = {words(e) for e in tree.iter() if "state" in e.attrib.get("class", "").split()}
    assert {"■ stuck".replace(" ", ""), "●complete"} <= {word.replace(" ", "") for word in shown}


# -- content --------------------------------------------------------------------------------------


def test_the_page_says_what_the_text_report_says() -> None:
    page = words(parse(render("html", shop())))
    for said in (
        "3 of 12 workflow instances need attention: 2 stuck, 1 failed.",
        "ord-stuck-1: payments has not consumed payments.due",
        "payments exported nothing since 22:13:21",
        "no later message was processed",
        "spans of payments after 22:13:21",
        "choreoscope show orders.jsonl --instance ord-stuck-1",
        "1 span names a parent that is not there",
        "order.id joins 12 of 12 instances",
        "insufficient history: 2 of 30 samples",
        "0.71 = fan_in 0.40 + fan_out 0.31",
    ):
        assert said in page, said


def test_the_worst_findings_have_a_picture_of_their_worst_instance() -> None:
    tree = parse(render("html", shop()))
    labels = [e.attrib["aria-label"] for e in tree.iter() if local(e) == "svg"]
    [stuck] = [label for label in labels if label.startswith("Instance ord-stuck-1")]
    assert "capture payment (payments, expected and absent)" in stuck
    assert any(label.startswith("Services and destinations. ") for label in labels)
    assert any(label.startswith("Coupling of services. orders to ") for label in labels)


def test_the_owner_is_named_where_one_is_declared() -> None:
    owned = build([order("a")], findings=(stuck_finding("a", owner="team <stock>"),))
    for name in ("html", "markdown"):
        assert "team &lt;stock" in render(name, owned)
    assert ",team <stock>," in render("csv-findings", owned)


def test_sections_come_before_the_findings() -> None:
    page = render("html", shop(), Context(sections=SECTIONS))
    assert page.index("1 of 3 expectations was broken") < page.index('id="findings"')
    assert "3 of 12 took longer" in page
    assert 'id="sections"' not in render("html", shop())


def test_a_group_without_its_instances_is_no_crash() -> None:
    """A filter or a cap can leave out every instance that a finding names."""
    analysis = build([order("a")], findings=(stuck_finding("gone"),))
    assert "payments has not consumed" in render("html", analysis)


# -- size -----------------------------------------------------------------------------------------


def test_ten_thousand_findings_are_cut_and_counted() -> None:
    page = render("html", large(10_000))
    assert len(page.encode()) < 2_000_000
    tree = parse(page)
    cuts = [words(e) for e in tree.iter() if e.attrib.get("class") == "cut"]
    rest = 10_000 - findings.IN_FULL - findings.ROWS
    assert any(cut.startswith(f"+{rest:,} more groups") for cut in cuts), cuts
    assert "10,000 findings in 10,000 groups" in page


def chain(steps: int) -> Analysis:
    work = tuple(
        Step("s", f"step {n}", "task", n * MS, (n + 1) * MS,
             after=((n - 1, "sync", "E1", 1.0),) if n else ())
        for n in range(steps)
    )  # fmt: skip
    case = Case("ord-1", "order", "stuck", work)
    return build([case], findings=(stuck_finding("ord-1"),))


def test_long_instances_are_cut_and_counted() -> None:
    tree = parse(render("html", chain(100)))
    [cut] = [words(e) for e in tree.iter() if "more step" in words(e) and local(e) == "p"]
    # 100 steps, and the one that is expected and absent
    assert cut == f"+{101 - lanes_picture.STEPS} more steps: choreoscope show draws them"


def test_instances_that_nobody_can_read_are_not_laid_out() -> None:
    page = render("html", chain(lanes_picture.LARGEST + 1))
    assert "5,001 steps: too many for a picture." in page


def test_many_services_are_cut_and_counted() -> None:
    cases = [
        Case(f"c{n:03}", "w", "complete", (
            Step(f"from-{n:03}", "a", "send", 0, MS, f"topic-{n:03}"),
            Step(f"to-{n:03}", "b", "process", MS, 2 * MS, f"topic-{n:03}",
                 after=((0, "event", "E2", 1.0),)),
        ))
        for n in range(120)
    ]  # fmt: skip
    page = render("html", build(cases))
    assert "+320 more nodes" in page  # of 120 senders, topics and receivers 40 are drawn
    assert "+210 more services" in page
    assert len(page) < 400_000


# -- the same bytes -------------------------------------------------------------------------------


def test_the_order_of_findings_and_workflows_does_not_matter() -> None:
    analysis = shop()
    turned = replace(analysis, findings=analysis.findings[::-1], workflows=analysis.workflows[::-1])
    assert render("html", analysis) == render("html", turned)


# -- markup ---------------------------------------------------------------------------------------


def test_only_what_is_markup_already_is_not_escaped() -> None:
    assert tag("p", "<b>", Html("<i></i>"), None, 3, ["&"]) == "<p>&lt;b&gt;<i></i>3&amp;</p>\n"
    assert tag("a", x_y='"<', class_="a", hidden=True, gone=None, off=False, at=1.25) == (
        '<a x-y="&quot;&lt;" class="a" hidden at="1.2"></a>'
    )
    assert isinstance(join(["a", Html("b")]), Html)
    assert text("x" * 1000) == f"{'x' * 400}… (+600 characters)"
