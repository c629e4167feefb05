"""A part of a report that comes from elsewhere: conformance, or the comparison with a baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Verdict(StrEnum):
    """What one line of a section says."""

    HELD = "held"
    BROKEN = "broken"
    UNJUDGED = "not judged"
    CHANGED = "changed"  # a comparison: neither good nor bad


GLYPHS: dict[Verdict, tuple[str, str]] = {  # Unicode, then ASCII
    Verdict.HELD: ("●", "."),
    Verdict.BROKEN: ("■", "#"),
    Verdict.UNJUDGED: ("?", "?"),
    Verdict.CHANGED: ("▲", "!"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One statement: about what, which, and whether it holds. Foreign strings: escape them."""

    subject: str  # a workflow, an edge, a service; a suite of JUnit
    title: str  # an expectation, a figure; a case of JUnit
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Given in `Context.sections`; every report that has room for it shows it in this order."""

    key: str  # field of the JSON report: "conformance", "comparison"
    title: str
    summary: str  # one sentence
    lines: tuple[Line, ...] = ()  # the worst first
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # for JSON

    @property
    def counts(self) -> dict[Verdict, int]:
        """Number of lines of each verdict that occurs, in the order of `Verdict`."""
        found = Counter(line.verdict for line in self.lines)
        return {verdict: found[verdict] for verdict in Verdict if found[verdict]}
