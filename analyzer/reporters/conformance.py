"""Conformance as a section of every report: what was declared, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.checks import Check, Conformance, Outcome
from analyzer.reporters.section import Line, Section, Verdict
from analyzer.reporters.units import count

KEY = "conformance"
_VERDICTS = {
    Outcome.HELD: Verdict.HELD,
    Outcome.BROKEN: Verdict.BROKEN,
    Outcome.UNJUDGED: Verdict.UNJUDGED,
}
_ORDER = (Outcome.BROKEN, Outcome.UNJUDGED, Outcome.HELD)  # worst first
REASONS = 2


def section(conformance: Conformance) -> Section:
    """The section: a line for each expectation, the broken ones first."""
    told = sorted(_lines(conformance), key=lambda pair: _ORDER.index(pair[0]))
    return Section(
        KEY,
        "Expectations",
        summary(conformance),
        tuple(line for _, line in told),
        document(conformance),
    )


def summary(conformance: Conformance) -> str:
    """How many were broken, held, and not to be judged."""
    found = conformance.by_outcome
    total = count(len(conformance.checks), "expectation")
    parts = (f"{found[one.value]:,} {_VERDICTS[one].value}" for one in _ORDER if found[one.value])
    return f"{total}: {', '.join(parts)}" if conformance.checks else "nothing was declared"


def _lines(conformance: Conformance) -> Iterator[tuple[Outcome, Line]]:
    for workflow in conformance.workflows:
        for check in workflow.checks:
            yield check.outcome, _line(workflow.name, check, "instance")
    for check in conformance.contracts:
        yield check.outcome, _line("channels", check, "time")


def _line(subject: str, check: Check, noun: str) -> Line:
    title = f"{check.subject}, {check.expected}"
    return Line(subject, title, _VERDICTS[check.outcome], _detail(check, noun))


def _detail(check: Check, noun: str) -> str:
    """The numbers, why some could not be judged, and who owns it."""
    judged = check.held + check.broken
    if check.broken:
        said = [f"in {check.broken:,} of {count(judged, noun)}" if judged else ""]
    elif check.held:
        said = [f"in {count(judged, noun)}"]
    else:
        said = []
    said += [f"{n:,} not judged: {reason}" if judged else reason for reason, n in check.why]
    said += [f"for example {check.examples[0]}"] if check.examples else []
    said += [f"owner {check.owner}"] if check.owner and check.broken else []
    return "; ".join(part for part in said if part)


def document(conformance: Conformance) -> dict[str, Any]:
    """The field `conformance` of the JSON report."""
    return {
        "sources": list(conformance.sources),
        "expectations": conformance.by_outcome,
        "workflows": [
            {
                "name": workflow.name,
                "instances": workflow.instances,
                "seen_as": list(workflow.seen_as),
                "checks": [_check(check) for check in workflow.checks],
            }
            for workflow in conformance.workflows
        ],
        "contracts": [_check(check) for check in conformance.contracts],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "rule": check.rule,
        "subject": check.subject,
        "expected": check.expected,
        "outcome": check.outcome.value,
        "held": check.held,
        "broken": check.broken,
        "unjudged": check.unjudged,
        "why": dict(check.why),
        "examples": list(check.examples),
        "owner": check.owner,
        "source": check.source or None,
        "line": check.line if check.source else None,
    }
