"""Analyses and contexts that reports are tried on."""

from __future__ import annotations

from dataclasses import replace

from analyzer.analysis import Analysis
from analyzer.finding import Cause, Severity
from analyzer.reporters.context import Context
from analyzer.reporters.registry import REPORTERS
from analyzer.reporters.section import Line, Section, Verdict
from collectors.recording import Intake, Problem
from tests.support.analysis_builder import Case, build, hostile_shop, order, shop, stuck_finding

CHECKS = Section(
    "conformance",
    "Expectations",
    "1 of 3 expectations was broken",
    (
        Line("order", "parcel assigned within 1h", Verdict.BROKEN, "3 of 12 took longer"),
        Line("order", "stock reserved", Verdict.HELD),
        Line("refund", "money back", Verdict.UNJUDGED, "no instance"),
    ),
    {
        "sources": [],
        "expectations": {"held": 1, "broken": 1, "unjudged": 1},
        "workflows": [],
        "contracts": [],
    },
)
CHANGES = Section(
    "comparison",
    "Since the baseline",
    "1 new edge",
    (Line("orders -> mail", "new edge", Verdict.CHANGED, "9 calls"),),
    {"new": 1},
)
SECTIONS = (CHECKS, CHANGES)


def render(name: str, analysis: Analysis, context: Context | None = None) -> str:
    """A report of that format, as text."""
    made = reporter(name).render(analysis, context or Context())
    assert isinstance(made, str)
    return made


def reporter(name: str) -> object:
    """The registered reporter of that name."""
    [found] = [one for one in REPORTERS if one.name == name]
    return found


def damaged() -> Analysis:
    """A shop of which some input was unreadable."""
    intake = Intake(
        sources=("orders.jsonl",),
        rejected={"invalid-json": 2},
        problems=(Problem("orders.jsonl", 7, "invalid-json", "unexpected end"),),
    )
    whole = shop()
    return replace(whole, recording=replace(whole.recording, intake=intake))


def large(findings: int, words: int = 8) -> Analysis:
    """As many findings as asked for, no two in one group, over 200 instances of long names."""
    cases: list[Case] = [order(f"ord-{n:06}", "stuck") for n in range(200)]
    found = [
        stuck_finding(
            f"ord-{number % 200:06}",
            message=f"{number}: " + "the payment service has not consumed payments.due " * words,
            service=f"payments-of-a-region-with-a-long-name-{number:06}",
            severity=list(Severity)[number % 3],
            causes=tuple(
                Cause(f"cause-{n}", 0.5, ("why " * 40,) * 6, ("why not " * 40,) * 6)
                for n in range(5)
            ),
        )
        for number in range(findings)
    ]
    ordered = tuple(sorted(found, key=lambda f: (f.sort_key, f.fingerprint)))
    return build(cases, findings=ordered)


ANALYSES = {
    "shop": shop(),
    "nothing": build([]),
    "healthy": build([order("a"), order("b")]),
    "damaged": damaged(),
    "escapes": hostile_shop("\x1b[1m<b>|`"),
}
