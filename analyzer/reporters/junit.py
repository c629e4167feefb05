"""JUnit XML: a suite is a workflow, a case is a rule, a failure is what would fail the gate."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analyzer.analysis import Analysis
from analyzer.escape import Target, escape
from analyzer.reporters.context import Context
from analyzer.reporters.faults import Fault, faults
from analyzer.reporters.groups import COUPLING_KINDS, DATA_KINDS, INSTANCE_KINDS
from analyzer.reporters.rules import RULES
from analyzer.reporters.section import Section, Verdict
from analyzer.reporters.style import joined, more, prose
from analyzer.reporters.units import rfc3339

SUITES = 1_000  # workflows; more are one suite, so that the file can be opened
SHOWN = 20  # faults told in one case
ELSEWHERE = "other workflows"
NO_WORKFLOW = "no workflow"


@dataclass(frozen=True, slots=True)
class Case:
    """A test case: at most one of the three outcomes, and what else is to be said."""

    suite: str
    name: str
    failure: str = ""
    error: str = ""
    skipped: str = ""
    said: str = ""
    message: str = ""


def render(analysis: Analysis, context: Context) -> str:
    """An XML document; nothing foreign in it is markup or a character that XML forbids."""
    cases = [
        *_input(analysis, context),
        *(case for section in context.sections for case in _section(section)),
        *_cases(analysis, context),
    ]
    root = ET.Element("testsuites", {"name": "choreoscope", **_counts(cases)})
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    stamp = (rfc3339(analysis.as_of_ns) or "")[:19]
    for name, members in suites.items():
        root.append(_suite(name, members, stamp))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _input(analysis: Analysis, context: Context) -> list[Case]:
    """A run that could not judge is an error here too: no test at all would look green."""
    obstacles = context.obstacles(analysis)
    said = "\n".join(obstacles)
    return [Case("input", "was read whole and holds workflows", error=said, message=said)]


def _section(section: Section) -> Iterable[Case]:
    for line in section.lines:
        suite = f"{section.key}: {line.subject}"
        told = line.detail or f"{line.title} {line.verdict.value}"
        if line.verdict is Verdict.BROKEN:
            yield Case(suite, line.title, failure=told, message=told)
        elif line.verdict is Verdict.UNJUDGED:
            yield Case(suite, line.title, skipped=told)
        else:
            yield Case(suite, line.title, said=line.detail)


def _cases(analysis: Analysis, context: Context) -> Iterable[Case]:
    shown = _shown_workflows(analysis)
    found: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults(analysis.findings):
        found.setdefault((_suite_of(fault, shown), fault.kind), []).append(fault)
    reasons = {skip.detector: skip.reason for skip in analysis.skipped}
    listed = [rule.id for rule in RULES]
    planned = [(workflow, kind) for workflow in shown for kind in listed if kind in INSTANCE_KINDS]
    planned += [("data", kind) for kind in listed if kind in DATA_KINDS]
    planned += [("coupling", kind) for kind in listed if kind in COUPLING_KINDS]
    for suite, kind in dict.fromkeys([*planned, *found]):
        yield _case(suite, kind, found.get((suite, kind), []), reasons.get(kind), context)


def _shown_workflows(analysis: Analysis) -> list[str]:
    ranked = sorted(analysis.workflows, key=lambda w: (-w.instances, w.name))
    return sorted(workflow.name for workflow in ranked[:SUITES])


def _suite_of(fault: Fault, shown: Sequence[str]) -> str:
    if fault.kind in DATA_KINDS:
        return "data"
    if fault.kind in COUPLING_KINDS:
        return "coupling"
    workflow = fault.worst.workflow
    if workflow is None:
        return NO_WORKFLOW
    return workflow if workflow in shown else ELSEWHERE


def _case(suite: str, kind: str, found: list[Fault], reason: str | None, context: Context) -> Case:
    failing = [fault for fault in found if context.fails(fault.worst.severity)]
    rest = [fault for fault in found if not context.fails(fault.worst.severity)]
    if failing:
        message = failing[0].told
        return Case(suite, kind, failure=_told(failing), said=_told(rest), message=message)
    return Case(suite, kind, skipped=reason or "" if not found else "", said=_told(rest))


def _told(found: list[Fault]) -> str:
    lines: list[str] = []
    for fault in found[:SHOWN]:
        worst = fault.worst
        lines.append(f"{worst.severity.value}: {prose(fault.told, 600)}")
        lines += [f"  cause: {prose(c.cause, 80)} {c.confidence:.2f}" for c in worst.causes[:3]]
        if fault.examples:
            lines.append(f"  instances: {joined(fault.examples, 5, 80)}")
    return "\n".join(lines + more(len(found) - SHOWN, "finding"))


def _suite(name: str, cases: list[Case], stamp: str) -> ET.Element:
    counts = _counts(cases)
    suite = ET.Element("testsuite", {"name": _safe(name), **counts, "timestamp": stamp})
    for case in cases:
        node = ET.SubElement(
            suite,
            "testcase",
            {"classname": _safe(name), "name": _safe(case.name), "time": "0"},
        )
        _outcome(node, case)
        if case.said:
            ET.SubElement(node, "system-out").text = _lines(case.said)
    return suite


def _outcome(node: ET.Element, case: Case) -> None:
    message = {"message": _safe(case.message or case.name), "type": _safe(case.name)}
    if case.error:
        ET.SubElement(node, "error", message).text = _lines(case.error)
    elif case.failure:
        ET.SubElement(node, "failure", message).text = _lines(case.failure)
    elif case.skipped:
        ET.SubElement(node, "skipped", {"message": _safe(case.skipped)})


def _counts(cases: Iterable[Case]) -> dict[str, str]:
    every = list(cases)
    return {
        "tests": str(len(every)),
        "failures": str(sum(bool(case.failure) for case in every)),
        "errors": str(sum(bool(case.error) for case in every)),
        "skipped": str(sum(bool(case.skipped) for case in every)),
        "time": "0",
    }


def _safe(text: str) -> str:
    return escape(prose(text), Target.XML_VALUE)


def _lines(text: str) -> str:
    """Several lines of our own; each is escaped by itself."""
    return "\n".join(escape(line, Target.XML_VALUE) for line in text.split("\n"))
