"""A finding about coupling ranks its causes, and shows spans, as every other finding does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analyzer.coupling.findings import READINGS
from analyzer.finding import Finding
from tests.support.spans import COUPLING, Tape, of_kind

SOURCES = Path(__file__).parents[2] / "analyzer" / "coupling"


def chain(times: int) -> list[Finding]:
    """Five services that wait for each other, and a message to make it worth saying."""
    tape = Tape()
    for number in range(times):
        at = number * 10.0
        page = tape.serve("a", "GET /", at, 5.0)
        for depth, name in enumerate("bcdef"):
            page = tape.call(page, name, f"get {name}", at + depth * 0.2, 4.5 - depth * 0.5)
    return of_kind(tape.analyze(), *COUPLING)


def test_causes_are_ranked_with_the_parts_of_the_score() -> None:
    (finding,) = [one for one in chain(40) if one.kind == "synchronous-chain"]
    assert [cause.cause for cause in finding.causes] == ["nested-calls", "by-design"]
    sure = [cause.confidence for cause in finding.causes]
    assert sure == sorted(sure, reverse=True)
    assert finding.causes[0].confidence == finding.confidence
    assert all(re.search(r"\(0\.\d\d of 0\.\d\d\)$", one) for one in finding.causes[0].supports)
    assert finding.causes[1].supports


def test_evidence_is_an_edge_between_its_services() -> None:
    (finding,) = [one for one in chain(40) if one.kind == "synchronous-chain"]
    assert [one.role for one in finding.evidence] == ["source", "target"]
    assert len({one.span_id for one in finding.evidence}) == 2


@pytest.mark.parametrize("kind", sorted(COUPLING))
def test_every_kind_says_what_each_of_its_parts_means(kind: str) -> None:
    text = (SOURCES / f"{kind.replace('-', '_')}.py").read_text()
    named = set(re.findall(r'^\s+(?:parts = \{)?"(\w+)": \(0\.\d+,', text, re.MULTILINE))
    named |= set(re.findall(r'parts = \{"(\w+)": \(0', text))
    assert named == set(READINGS[kind].parts)
