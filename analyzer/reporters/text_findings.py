"""The section of the text report that tells what is wrong, group by group."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from analyzer.analysis import Analysis
from analyzer.escape import escape
from analyzer.finding import Cause, Finding
from analyzer.reporters.groups import Group, instance_groups
from analyzer.reporters.style import (
    SEVERITY_COLOURS,
    SEVERITY_GLYPHS,
    Style,
    joined,
    more,
    name,
    prose,
)
from analyzer.reporters.units import SECOND, count, duration, moment

IN_FULL = 8  # groups; more than a screen or two is not read
IN_BRIEF = 12
REASONS = 3
NAMES_SHOWN = 5
LABEL = 9


def section(analysis: Analysis, style: Style, show: str) -> list[str]:
    """Every group: the first ones in full, the next ones in a line, the rest counted."""
    groups = instance_groups(analysis.findings)
    if not groups:
        return [style.heading("FINDINGS", "none about instances")]
    number = sum(len(group.findings) for group in groups)
    note = f"{count(number, 'finding')} in {count(len(groups), 'group')}, worst first"
    lines = [style.heading("FINDINGS", note)]
    for group in groups[:IN_FULL]:
        lines += ["", *block(group, style, analysis.as_of_ns, show)]
    brief = groups[IN_FULL : IN_FULL + IN_BRIEF]
    if brief:
        lines += ["", *(_brief(group, style) for group in brief)]
    rest = groups[IN_FULL + IN_BRIEF :]
    if rest:
        hidden = sum(group.instances for group in rest)
        lines += more(len(rest), "group", f" ({count(hidden, 'instance')}): see --format json")
    return lines


def block(group: Group, style: Style, as_of_ns: int, show: str) -> list[str]:
    """One group in full: what, where, since, cause with evidence, what to look at."""
    worst = group.worst
    lines = _title(group, style)
    lines += _labelled(style, "what", prose(worst.message, 600))
    for label, other in zip(["also", ""], _elsewhere(group), strict=False):
        lines += _labelled(style, label, prose(other.message, 300))
    lines += _labelled(style, "in", _listed(group.workflows, "workflow"))
    lines += _labelled(style, "over", _listed(group.destinations, "destination"))
    lines += _labelled(style, "where", where(worst))
    lines += _labelled(style, "owner", prose(worst.owner or "", 80))
    lines += _labelled(style, "since", _since(group, as_of_ns))
    for label, cause in zip(["cause", *[""] * 2], worst.causes[:3], strict=False):
        lines += _cause(style, label, cause)
    lines += [" " * (LABEL + 4) + line for line in more(len(worst.causes) - 3, "cause")]
    lines += _labelled(style, "needs", joined(worst.needs, 3, 200))
    if group.examples:
        lines += _labelled(style, "look", f"{show} {example_id(group)}{_others(group)}", wrap=False)
    return lines


def _elsewhere(group: Group) -> list[Finding]:
    """The first finding of each other workflow and step: one fault reads differently where it
    surfaces."""
    first = {(finding.workflow, finding.step): finding for finding in reversed(group.findings)}
    return [one for one in group.findings[1:] if first[one.workflow, one.step] is one]


def example_id(group: Group, instance: str | None = None) -> str:
    """An id that can be pasted into a shell; where it cannot, a trace id finds the same."""
    identifier = instance or group.examples[0]
    usable = identifier.isascii() and identifier.isprintable() and len(identifier) <= 120
    traces = group.worst.trace_ids
    return escape(shlex.quote(identifier if usable or not traces else traces[0]))


def _title(group: Group, style: Style) -> list[str]:
    worst = group.worst
    colour = SEVERITY_COLOURS[worst.severity]
    glyph = style.paint(style.pick(SEVERITY_GLYPHS[worst.severity]), colour)
    parts = [count(group.instances, "instance")] if group.examples else []
    workflows = list(group.workflows)
    several = f"{len(workflows):,} workflows"
    parts += [prose(workflows[0], 50) if len(workflows) == 1 else several] if workflows else []
    parts += [worst.severity.value, f"confidence {worst.confidence:.2f}"]
    kind = style.paint(name(group.kind), "bold", colour)
    return style.wrap(style.own(" · ".join(parts)), style.own(f"{glyph} {kind} · "), "  ")


def _listed(counts: Mapping[str, int], noun: str) -> str:
    """Several names with their numbers; nothing where there is only one."""
    if len(counts) < 2:
        return ""
    named = [f"{name(key)} ({number:,})" for key, number in counts.items()]
    return "; ".join([*named[:NAMES_SHOWN], *more(len(named) - NAMES_SHOWN, noun)])


def where(finding: Finding) -> str:
    """Who acts, the last step that was seen, and what is waited for. Escaped."""
    waiting = finding.waiting_for
    parts = [prose(finding.service, 60)] if finding.service else []
    if finding.step:
        parts.append(f"last step seen: {prose(finding.step, 80)}")
    due = [prose(part, 80) for part in (waiting.service, waiting.step) if part]
    on = f"on {prose(waiting.destination, 80)}" if waiting.destination else ""
    if due:
        parts.append(f"waits for {': '.join(due)} {on}".rstrip())
    elif on:
        parts.append(on)
    return "; ".join(parts)


def _since(group: Group, as_of_ns: int) -> str:
    if group.since_ns is None:
        return ""
    ago = duration(max(as_of_ns - group.since_ns, 0))
    first = f"{moment(group.since_ns)} ({ago} ago)"
    late = group.overdue_s
    return f"{first}, overdue by {duration(late * SECOND)}" if late else first


def _cause(style: Style, label: str, cause: Cause) -> list[str]:
    bar = style.bar(cause.confidence, 10)
    title = f"{name(cause.cause)} {cause.confidence:.2f} {style.paint(bar, 'dim')}"
    lines = _labelled(style, label, title, wrap=False)
    for sign, reasons in (("+", cause.supports), ("-", cause.against)):
        for reason in reasons[:REASONS]:
            lines += style.wrap(prose(reason), " " * (LABEL + 4) + sign + " ")
        lines += [" " * (LABEL + 4) + line for line in more(len(reasons) - REASONS, "reason")]
    return lines


def _others(group: Group) -> str:
    others = group.instances - 1
    return f"   (+{others:,} more)" if others > 0 else ""


def _brief(group: Group, style: Style) -> str:
    glyph = style.paint(
        style.pick(SEVERITY_GLYPHS[group.worst.severity]), SEVERITY_COLOURS[group.worst.severity]
    )
    room = max(style.width - 35, 20)
    kind = style.cell(group.kind, 22)
    return f"{glyph} {kind} {group.instances:>7,}× {style.cell(group.worst.message, room)}"


def _labelled(style: Style, label: str, text: str, *, wrap: bool = True) -> list[str]:
    if not text:
        return []
    first = f"  {label:<{LABEL}}"
    if not wrap:
        return [first + text]
    return style.wrap(text, first)
