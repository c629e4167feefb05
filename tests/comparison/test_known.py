"""Known findings: which entry accepts which finding, until when, and what the file has to say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.comparison.known import Entry, judged, renewed
from analyzer.comparison.known_file import parse, write
from analyzer.conformance.yaml_text import DeclarationError
from analyzer.escape import visible
from analyzer.finding import Cause, Finding, Severity, WaitingFor
from analyzer.reporters.faults import place_fingerprint
from tests.support.hostile import HOSTILE, raw_controls

TODAY = date(2026, 11, 21)
STUCK = Finding(
    "stuck",
    Severity.ERROR,
    0.9,
    "payments never captured ord-1",
    workflow="orders: POST /orders",
    instance="ord-1",
    service="payments",
    step="publish orders.placed",
    waiting_for=WaitingFor("payments", "capture", "payments.due"),
    trace_ids=("a" * 32,),
    since_ns=1,
    causes=(Cause("lost", 0.8),),
)
AGAIN = replace(
    STUCK, message="other words", instance="ord-2", trace_ids=("b" * 32,), since_ns=99, instances=3
)
CYCLE = Finding("cycle", Severity.WARNING, 0.9, "a → b → a", service="a", step="a, b")


def entry(**fields: object) -> Entry:
    return Entry(**{"reason": "accepted", **fields})  # type: ignore[arg-type]


def test_the_fingerprint_knows_a_fault_in_another_run() -> None:
    """Neither time nor traces nor instances make it another fault; another place does."""
    known = entry(fingerprint=place_fingerprint(STUCK))
    assert known.matches(AGAIN)
    assert not known.matches(replace(STUCK, service="stock"))
    assert not known.matches(replace(STUCK, kind="late"))


def test_the_fingerprint_of_one_finding_means_that_one() -> None:
    """The JSON report has it beside each finding; copied into the file it is no mystery."""
    assert entry(fingerprint=STUCK.fingerprint).matches(STUCK)
    assert not entry(fingerprint=STUCK.fingerprint).matches(AGAIN)


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({"kind": "stuck"}, True),
        ({"kind": "st*", "workflow": "ORDERS:*", "service": "payments"}, True),
        ({"cause": "lost", "step": "publish *"}, True),
        ({"cause": "crashed"}, False),
        ({"kind": "stuck", "service": "stock"}, False),
    ],
)
def test_patterns_all_have_to_match(fields: dict[str, str], matches: bool) -> None:
    assert entry(**fields).matches(STUCK) is matches


def test_known_new_returned_grown_and_unused() -> None:
    said = judged([STUCK, CYCLE], [entry(kind="stuck"), entry(kind="hub")], TODAY, 100)
    assert [f.kind for f, _ in said.known] == ["stuck"]
    assert [f.kind for f in said.new] == ["cycle"]
    assert [e.kind for e in said.unused] == ["hub"]


def test_an_entry_holds_on_its_last_day_and_not_after() -> None:
    ending = [entry(kind="stuck", expires=TODAY)]
    assert judged([STUCK], ending, TODAY, 100).known
    later = judged([STUCK], ending, date(2026, 11, 22), 100)
    assert not later.known
    assert [f.kind for f, _ in later.returned] == ["stuck"]
    other = [*ending, entry(cause="lost")]
    assert judged([STUCK], other, date(2026, 11, 22), 100).known  # another entry still holds


@pytest.mark.parametrize(
    ("now", "total", "grown"), [(3, 200, False), (5, 200, False), (40, 200, True), (2, 20, False)]
)
def test_a_fault_that_grew_far_beyond_is_no_longer_known(now: int, total: int, grown: bool) -> None:
    """2 of 200 were accepted; twice as many may be chance, forty are not."""
    known = [entry(fingerprint=place_fingerprint(STUCK), instances=2, of=200)]
    said = judged([replace(STUCK, instances=now)], known, TODAY, total)
    assert bool(said.grown) is grown
    assert bool(said.known) is not grown


def test_the_next_baseline_keeps_reasons_and_drops_what_is_over() -> None:
    mine = entry(kind="stuck", reason="ticket 12", owner="team-pay", expires=date(2027, 1, 1))
    old = entry(kind="hub", reason="was there once")
    over = entry(kind="cycle", reason="until summer", owner="a", expires=date(2026, 7, 1))
    made = renewed([STUCK, AGAIN, CYCLE], [mine, old, over], TODAY, 50)
    assert made[0] == mine
    (new,) = made[1:]
    assert (new.kind, new.instances, new.of) == ("cycle", 1, 50)
    assert new.reason == "known since 2026-11-21, not judged yet; until 2026-07-01: until summer"
    assert new.owner == "a"
    assert judged([STUCK, AGAIN, CYCLE], made, TODAY, 50).new == ()
    assert renewed([STUCK, AGAIN, CYCLE], made, TODAY, 50) == made


names = st.sampled_from([*HOSTILE.values(), "plain", "2024-01-01", "yes", "1"])


@given(names, names)
def test_the_file_gives_back_what_was_written(one: str, other: str) -> None:
    """Names from traces are made visible: the fingerprint beside them decides."""
    entries = [
        entry(fingerprint="f" * 32, kind="stuck", workflow=name, service=f"x{other}", of=3)
        for name in (one, other)
        if name.strip()
    ]
    text = write(entries)
    assert not raw_controls(text)
    read = parse(text, "b.yaml")
    shown = [
        replace(e, workflow=visible(e.workflow or ""), service=visible(e.service or ""))
        for e in entries
    ]
    assert [replace(e, line=1) for e in read] == shown
    assert write(read) == text


def test_patterns_of_people_stay_as_they_are() -> None:
    mine = entry(kind="st*", workflow="Bestellung: über *", expires=date(2027, 1, 31), owner="1")
    assert [replace(e, line=1) for e in parse(write([mine]), "b.yaml")] == [mine]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("known:\n  - kind: stuck\n", 2, "needs the key 'reason'"),
        ("known:\n  - kind: stuck\n    reason: ''\n", 3, "must be a text"),
        ("known:\n  - reason: x\n", 2, "says nothing about what is accepted"),
        ("known:\n  - kind: stuck\n    reson: x\n    reason: y\n", 3, "did you mean 'reason'"),
        ("known:\n  - kind: stuck\n    reason: x\n    expires: soon\n", 4, "a day such as"),
        ("knwon: []\n", 1, "did you mean 'known'"),
        ("known: 3\n", 1, "must be a list"),
        ("", 1, "empty"),
        ("[", 1, "not YAML"),
        ("known:\n  - kind: stuck\n    reason: x\n    of: -1\n", 4, "whole number"),
    ],
)
def test_a_wrong_file_names_the_line(text: str, line: int, says: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse(text, "b.yaml")
    assert any(fault.line == line and says in str(fault) for fault in caught.value.faults)


def test_the_example_of_the_documentation_is_a_baseline() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    [text] = [
        t for t in re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL) if t.startswith("known:")
    ]
    first, second = parse(text, "docs/ci.md")
    assert first.expires == date(2027, 1, 31)
    assert second.service == "audit-*"
