"""The report for people: what is wrong, how good the data are, findings, workflows, coupling."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

import polars as pl

from analyzer.analysis import Analysis
from analyzer.escape import escape
from analyzer.finding import State
from analyzer.reporters import text_findings, text_tables
from analyzer.reporters.context import Context
from analyzer.reporters.groups import DATA_KINDS, Group, instance_groups
from analyzer.reporters.style import joined, more, name, prose, state_rank, states_line
from analyzer.reporters.units import count, moment

# Somebody has to look at these.
TROUBLE = (State.STUCK, State.FAILED, State.DEAD_LETTERED, State.ORPHANED, State.LATE)
NOTES_SHOWN = 8
PASTED = 300  # characters of sources in a command that the report proposes
HEADLINE = 200  # characters; a longer one is no headline


def render(analysis: Analysis, context: Context) -> str:
    """The whole report, ending in a line feed."""
    blocks = [section(analysis, context) for section in SECTIONS]
    text = "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks if block)
    return context.style.own(text) + "\n"


def headline(analysis: Analysis, context: Context) -> list[str]:
    """One sentence: what is wrong, in how many of how many; then the worst of it."""
    style = context.style
    states = analysis.by_state
    total = analysis.instances.height
    trouble = {s.value: states[s] for s in TROUBLE if states.get(s)}
    groups = instance_groups(analysis.findings)
    lines = [*_title(analysis, context), ""]
    if total == 0:
        return [*lines, style.paint("No workflow instance was found.", "bold")]
    worst = min(trouble, key=state_rank) if trouble else None
    if worst:
        number = sum(trouble.values())
        verb = "needs" if number == 1 else "need"
        said = f"{number:,} of {total:,} workflow instances {verb} attention"
        lines += style.wrap(f"{said}: {states_line(trouble)}.", f"{style.state(worst)} ", "  ")
    elif groups:
        lines += style.wrap(
            f"No instance of {total:,} is stuck or failed, but {_kinds(groups)}.", "", "  "
        )
    else:
        calm = style.state(State.COMPLETE)
        lines += style.wrap(f"Nothing wrong in {count(total, 'workflow instance')}: "
                            f"{states_line(states)}.", f"{calm} ", "  ")  # fmt: skip
    if groups:
        lines += style.wrap(f"Worst: {_briefly(groups[0].worst.message)}", "  ")
    return lines


def _title(analysis: Analysis, context: Context) -> list[str]:
    style = context.style
    title = _sources(analysis.recording.intake.sources, context.sources) or "no source"
    if analysis.recording.spans.height:
        title += f" · as of {moment(analysis.as_of_ns)}"
    lines = style.wrap(style.own(title), style.own("choreoscope · "), "  ")
    if context.where:
        shown, every = analysis.instances.height, context.instances_before_where or 0
        said = f"{prose(context.where)} · {shown:,} of {count(every, 'instance')}"
        lines += style.wrap(style.own(said), "where ", "  ")
    return lines


def _sources(read: tuple[str, ...], typed: tuple[str, ...]) -> str:
    """What the user named, and how many files that was; without folders where it gets long."""
    names = [s.rstrip("/") or s for s in typed] or list(read)
    shown = joined((s if len(s) <= 40 else os.path.basename(s) or s for s in names), 3)
    return f"{shown} ({count(len(read), 'file')})" if typed and len(read) > len(typed) else shown


def _briefly(message: str) -> str:
    """The message without its last clauses where it is long: the findings tell it in full."""
    said = message
    while len(said) > HEADLINE and "; " in said:
        said = said.rpartition("; ")[0]
    return prose(said, HEADLINE + 40) + ("" if said == message else " …")


def _kinds(groups: list[Group]) -> str:
    kinds: dict[str, int] = {}
    for group in groups:
        kinds[group.kind] = kinds.get(group.kind, 0) + group.instances
    named = ", ".join(f"{number:,} {name(kind)}" for kind, number in kinds.items())
    return f"{count(sum(kinds.values()), 'finding')}: {named}"


def data_quality(analysis: Analysis, context: Context) -> list[str]:
    """What was read, what was lost, and what that means for the findings."""
    style, recording = context.style, analysis.recording
    facts = (
        count(recording.spans.height, "span"),
        count(context.traces(analysis), "trace"),
        count(context.services(analysis), "service"),
        count(recording.links.height, "link"),
    )
    lines = [style.heading("DATA", " · ".join(facts))]
    warn, note = style.paint(style.pick(("▲", "!")), "yellow"), style.own("·")
    # Warnings come last: a folder full of other files must not hide what matters more.
    warnings = [prose(warning) for warning in recording.intake.warnings]
    problems = _lost(analysis) + _notes(analysis) + warnings
    for text in problems[:NOTES_SHOWN]:
        lines += style.wrap(text, f"  {warn} ", "    ")
    lines += [f"    {line}" for line in more(len(problems) - NOTES_SHOWN, "note", " on the data")]
    if not problems:
        good = style.paint(style.pick(("●", ".")), "green")
        lines.append(f"  {good} nothing rejected, no parent or link missing that we know of")
    for text in _remarks(analysis):
        lines += style.wrap(text, f"  {note} ", "    ")
    return lines


def _lost(analysis: Analysis) -> list[str]:
    intake = analysis.recording.intake
    lines = []
    if intake.rejected:
        reasons = (f"{n:,} {name(reason)}" for reason, n in sorted(intake.rejected.items()))
        lost = count(sum(intake.rejected.values()), "piece")
        first = intake.problems[0] if intake.problems else None
        place = f", first at {prose(first.source, 60)}" if first else ""
        place += f" line {first.line:,}" if first and first.line else ""
        lines.append(f"{lost} of the input could not be read: {', '.join(reasons)}{place}")
    if intake.conflicts:
        lines.append(f"{count(intake.conflicts, 'span id')} came again with other content")
    return lines


def _notes(analysis: Analysis) -> list[str]:
    """Notes on the data (a share of 0 is no fault), and services that are never heard."""
    notes = analysis.data_notes
    told = {note.message for note in notes}
    lines = [prose(note.message) for note in notes if note.share != 0]
    lines += [
        prose(finding.message)
        for finding in analysis.findings
        if finding.kind in DATA_KINDS and finding.message not in told
    ]
    known = {service for note in notes for service in note.services}
    silent = analysis.services.filter(pl.col("spans") == 0)["name"].to_list()
    unheard = [service for service in silent if service not in known]
    if unheard:
        lines.append(f"called, but emits no span: {joined(sorted(unheard))}")
    return lines


def _remarks(analysis: Analysis) -> list[str]:
    intake = analysis.recording.intake
    lines = [prose(note.message) for note in analysis.data_notes if note.share == 0]
    if intake.duplicates:
        lines.append(f"{count(intake.duplicates, 'exact copy', 'exact copies')} counted once")
    if intake.skipped:
        other = ", ".join(f"{n:,} {name(what)}" for what, n in sorted(intake.skipped.items()))
        lines.append(f"not spans, left aside: {other}")
    lines += [f"not judged: {name(s.detector)} ({prose(s.reason)})" for s in analysis.skipped[:3]]
    lines += more(len(analysis.skipped) - 3, "detector", " that could not judge")
    suggested = analysis.key_suggestions[:3]
    lines += [f"possible key: {prose(s.message)}; accept it with --key" for s in suggested]
    return lines + more(len(analysis.key_suggestions) - 3, "possible key")


def findings(analysis: Analysis, context: Context) -> list[str]:
    """Findings about instances, grouped by what they share, the worst first."""
    return text_findings.section(analysis, context.style, _show_command(analysis, context))


def _show_command(analysis: Analysis, context: Context) -> str:
    sources = context.sources or analysis.recording.intake.sources
    options = shlex.join(context.options)
    tail = f" {options} --instance" if options and options.isprintable() else " --instance"
    usable = all(s.isprintable() and s != "-" for s in sources)
    if sources and usable and len(" ".join(sources)) <= PASTED:
        return escape(f"choreoscope show {shlex.join(sources)}{tail}")
    return escape(f"choreoscope show SOURCE...{tail}")


def workflows(analysis: Analysis, context: Context) -> list[str]:
    """A row a workflow: states, starts over time, durations, style."""
    return text_tables.workflows(analysis, context.style)


def coupling(analysis: Analysis, context: Context) -> list[str]:
    """Who depends on whom, and where that is too much."""
    return text_tables.coupling(analysis, context.style)


SECTIONS: tuple[Callable[[Analysis, Context], list[str]], ...] = (
    headline,
    data_quality,
    findings,
    workflows,
    coupling,
)
