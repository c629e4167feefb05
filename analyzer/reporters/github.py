"""Workflow commands of GitHub Actions: an annotation for each of the worst faults."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.escape import Target, escape
from analyzer.reporters.context import Context
from analyzer.reporters.faults import Fault, faults
from analyzer.reporters.rules import rule
from analyzer.reporters.style import prose
from analyzer.reporters.summary import verdict
from analyzer.reporters.text_findings import example_id
from analyzer.reporters.units import count

SHOWN = 9  # GitHub keeps 10 annotations a step and drops the rest without a word
LINE = 900  # characters of a part; a whole annotation may have 4,096
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(analysis: Analysis, context: Context) -> str:
    """A line a command, the worst first; what is not shown is counted in the last one."""
    lines = [_command("error", "choreoscope", [said]) for said in context.obstacles(analysis)]
    found = faults(analysis.findings)
    room = SHOWN - len(lines)
    lines += [_annotation(fault, analysis, context) for fault in found[:room]]
    rest = found[room:]
    if rest:
        worst = _COMMANDS[rest[0].worst.severity.value]
        said = f"+{count(len(rest), 'more finding', 'more findings')}: see the other reports"
        lines.append(_command(worst, "choreoscope", [said]))
    if not lines:
        lines = [_command("notice", "choreoscope", [verdict(analysis)[1]])]
    return "\n".join(lines) + "\n"


def _annotation(fault: Fault, analysis: Analysis, context: Context) -> str:
    worst = fault.worst
    parts = [prose(fault.told, LINE)]
    if worst.causes:
        parts.append(f"cause: {prose(worst.cause, 100)} ({worst.causes[0].confidence:.2f})")
    if fault.examples:
        parts.append(f"{context.show_command(analysis)} {example_id(fault)}")
    where = [prose(part, 60) for part in (worst.workflow, worst.service) if part]
    title = " · ".join([rule(fault.kind).title, *where])
    return _command(_COMMANDS[worst.severity.value], title, parts, context.anchor)


def _command(name: str, title: str, lines: list[str], file: str | None = None) -> str:
    """`::error title=..::..`; our own line feeds are %0A, foreign ones are shown as text."""
    properties = [f"file={escape(file, Target.GITHUB_PROPERTY)}"] if file else []
    properties.append(f"title={escape(title, Target.GITHUB_PROPERTY)}")
    message = "%0A".join(escape(line, Target.GITHUB) for line in lines)
    return f"::{name} {','.join(properties)}::{message}"
