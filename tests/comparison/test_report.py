"""A comparison on paper: complete, safe whatever the names, and documented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from analyzer.comparison import Comparison
from analyzer.comparison.change import GROUPS, KINDS, PLAIN_KINDS, Change, Figure, Place, Side
from analyzer.comparison.report import FORMATS, SHOWN
from analyzer.reporters.style import Style
from tests.support.hostile import ALL, raw_controls

DOCS = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
HALF = Figure(0.5, 40, 0.35, 0.65)


def comparison(name: str, *changes: Change) -> Comparison:
    side = Side(name, "recording", 40, 1, 2)
    return Comparison(side, side, 0.01, 33, changes, (), (f"{name}: too few",))


def hostile(name: str) -> Comparison:
    places = (
        Place(workflow=name),
        Place(service=name, destination=name),
        Place(source=name, target=name, edge_kind="event", destination=name),
        Place(workflow=name, service=name, step=name),
        Place(workflow=name, variant=name),
    )
    kinds = ("new-workflow", "gone-consumer", "slower-edge", "more-errors", "new-variant")
    changes = [
        Change(kind, place, "share", HALF, Figure(0.25, 40), 0.001, 0.004, name)
        for kind, place in zip(kinds, places, strict=True)
    ]
    return comparison(name, *changes, Change("new-cycle", Place(services=(name, name)), "score"))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("format_", FORMATS)
def test_a_hostile_name_stays_a_name(format_: str, name: str) -> None:
    shown = FORMATS[format_](hostile(ALL[name]), Style(colour=False))
    assert not raw_controls(shown)
    if format_ == "json":
        assert json.loads(shown)["changes"]
    if format_ == "markdown":
        rows = [line for line in shown.splitlines() if line.startswith("| ")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
        assert not re.search(r"<(?!br)", shown)


def test_json_says_everything() -> None:
    shown = json.loads(FORMATS["json"](hostile("a"), Style()))
    assert shown["schema_version"] == "1"
    assert shown["counts"] == {
        "new-workflow": 1, "gone-consumer": 1, "new-variant": 1, "more-errors": 1,
        "slower-edge": 1, "new-cycle": 1,
    }  # fmt: skip
    (edge,) = [c for c in shown["changes"] if c["kind"] == "slower-edge"]
    assert (edge["source"], edge["target"], edge["edge_kind"]) == ("a", "a", "event")
    assert edge["before"] == {"value": 0.5, "n": 40, "low": 0.35, "high": 0.65}
    assert (edge["p"], edge["q"]) == (0.001, 0.004)


def test_many_of_a_kind_are_counted_not_listed() -> None:
    changes = [
        Change("new-step", Place("w", "s", f"step {n:03}"), "share", HALF, HALF)
        for n in range(SHOWN + 7)
    ]
    found = comparison("a", *changes)
    for format_ in ("text", "markdown"):
        shown = FORMATS[format_](found, Style())
        assert shown.count("step 0") == SHOWN
        assert "+7 more changes" in shown
    assert len(json.loads(FORMATS["json"](found, Style()))["changes"]) == SHOWN + 7


def test_nothing_changed_is_one_sentence() -> None:
    for format_ in ("text", "markdown"):
        assert "Nothing changed in 33 comparisons." in FORMATS[format_](comparison("a"), Style())


def test_text_is_as_wide_as_asked() -> None:
    for width in (60, 100):
        text = FORMATS["text"](hostile("name of a service"), Style(width=width))
        assert max(map(len, text.splitlines())) <= width


def test_every_kind_is_documented_in_its_own_words() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+?) \|$", DOCS, re.MULTILINE))
    described = {kind: about for kind, about in rows.items() if kind in KINDS}
    assert described == PLAIN_KINDS


def test_every_field_of_the_json_is_documented() -> None:
    (paragraph,) = re.findall(r"^`diff --format json` has.*?\n\n", DOCS, re.MULTILINE | re.DOTALL)
    shown = json.loads(FORMATS["json"](hostile("a"), Style()))
    change = shown["changes"][0]
    named = {*shown, *shown["before"], *change, *change["before"]}
    assert named == set(re.findall(r"`(\w+)`", paragraph))


def test_groups_name_kinds() -> None:
    assert set(GROUPS["new"]) | set(GROUPS["gone"]) | set(GROUPS["changed"]) == set(KINDS)
    for kinds in GROUPS.values():
        assert set(kinds) <= set(KINDS)
    assert not {"fewer-errors", "new-consumer", "faster-step"} & set(GROUPS["worse"])
