"""The report for people: what is wrong, how good the data are, findings, workflows, coupling."""

from __future__ import annotations

import os
from collections.abc import Callable

import polars as pl

from analyzer.analysis import Analysis
from analyzer.reporters import text_findings, text_tables
from analyzer.reporters.context import Context
from analyzer.reporters.groups import DATA_KINDS
from analyzer.reporters.section import GLYPHS, Line, Section
from analyzer.reporters.style import Style, joined, more, name, prose
from analyzer.reporters.summary import briefly, verdict, worst
from analyzer.reporters.units import count, moment

NOTES_SHOWN = 8
LINES_SHOWN = 40  # of a section


def render(analysis: Analysis, context: Context) -> str:
    """The whole report, ending in a line feed."""
    blocks = [section(analysis, context) for section in SECTIONS]
    text = "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks if block)
    return context.style.own(text) + "\n"


def headline(analysis: Analysis, context: Context) -> list[str]:
    """One sentence: what is wrong, in how many of how many; then the worst of it."""
    style = context.style
    state, said = verdict(analysis)
    lines = [*_title(analysis, context), ""]
    if not analysis.instances.height:
        return [*lines, style.paint(said, "bold")]
    mark, indent = (f"{style.state(state)} ", "  ") if state else ("", "  ")
    lines += style.wrap(said, mark, indent)
    finding = worst(analysis)
    if finding:
        lines += style.wrap(f"Worst: {briefly(finding.message)}", "  ")
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
    problems, remarks = data_remarks(analysis)
    for text in problems[:NOTES_SHOWN]:
        lines += style.wrap(text, f"  {warn} ", "    ")
    lines += [f"    {line}" for line in more(len(problems) - NOTES_SHOWN, "note", " on the data")]
    if not problems:
        good = style.paint(style.pick(("●", ".")), "green")
        lines.append(f"  {good} nothing rejected, no parent or link missing that we know of")
    for text in remarks:
        lines += style.wrap(text, f"  {note} ", "    ")
    return lines


def data_remarks(analysis: Analysis) -> tuple[list[str], list[str]]:
    """What makes the findings less sure, and what is only worth knowing. Escaped."""
    # Warnings come last: a folder full of other files must not hide what matters more.
    warnings = [prose(warning) for warning in analysis.recording.intake.warnings]
    return _lost(analysis) + _notes(analysis) + warnings, _remarks(analysis)


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
    return text_findings.section(analysis, context.style, context.show_command(analysis))


def workflows(analysis: Analysis, context: Context) -> list[str]:
    """A row a workflow: states, starts over time, durations, style."""
    return text_tables.workflows(analysis, context.style)


def coupling(analysis: Analysis, context: Context) -> list[str]:
    """Who depends on whom, and where that is too much."""
    return text_tables.coupling(analysis, context.style)


def sections(analysis: Analysis, context: Context) -> list[str]:
    """What was given beside the analysis: conformance, the comparison with a baseline."""
    lines: list[str] = []
    for section in context.sections:
        lines += [*([""] if lines else []), *_section(section, context.style)]
    return lines


def _section(section: Section, style: Style) -> list[str]:
    lines = [style.heading(name(section.title).upper(), prose(section.summary))]
    for line in section.lines[:LINES_SHOWN]:
        lines += style.wrap(_line(line), f"  {style.pick(GLYPHS[line.verdict])} ", "    ")
    return lines + [f"  {rest}" for rest in more(len(section.lines) - LINES_SHOWN, "line")]


def _line(line: Line) -> str:
    detail = f": {prose(line.detail)}" if line.detail else ""
    return f"{name(line.subject)}: {prose(line.title, 160)} {line.verdict.value}{detail}"


SECTIONS: tuple[Callable[[Analysis, Context], list[str]], ...] = (
    headline,
    data_quality,
    sections,
    findings,
    workflows,
    coupling,
)
