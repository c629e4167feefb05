"""A recording held against an expectations file or contracts, in one call."""

from __future__ import annotations

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.checks import Check
from analyzer.conformance.declared import Contract, Declared
from analyzer.conformance.file import parse
from tests.support.spans import Tape, recorded

LATER = 3600 * 10**9  # an hour after the last span everything is due


def lines(tape: Tape) -> list[bytes]:
    return tape.lines()


def held(
    tape: Tape,
    text: str = "",
    *contracts: Contract,
    later_ns: int = LATER,
    keys: tuple[str, ...] = (),
) -> Analysis:
    """The analysis of the tape's spans, an hour later, with what is declared."""
    declared = Declared(parse(text, "e.yaml"), contracts) if text else Declared(contracts=contracts)
    return analyze(recorded(tape.lines()), declared=declared, later_ns=later_ns, keys=keys)


def check(analysis: Analysis, rule: str, subject: str = "") -> Check:
    """The one check of that rule (whose subject holds the text)."""
    assert analysis.conformance is not None
    [found] = [
        one for one in analysis.conformance.checks if one.rule == rule and subject in one.subject
    ]
    return found


def counts(one: Check) -> tuple[int, int, int]:
    """(held, broken, unjudged)."""
    return one.held, one.broken, one.unjudged
