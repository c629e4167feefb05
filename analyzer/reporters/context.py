"""What a report knows beside the analysis: how it may draw, and what it was narrowed to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.analysis import Analysis
from analyzer.codes import trace_codes, words
from analyzer.escape import escape
from analyzer.finding import Finding, Severity
from analyzer.reporters.section import Section
from analyzer.reporters.style import Style
from analyzer.reporters.units import count

DEFAULT_STYLE = Style()
PASTED = 300  # characters of sources in a command that the report proposes


@dataclass(frozen=True, slots=True)
class Context:
    """Given to every reporter."""

    style: Style = DEFAULT_STYLE
    where: str = ""
    instances_before_where: int | None = None
    sources: tuple[str, ...] = ()  # as the user typed them, for the commands a report proposes
    options: tuple[str, ...] = ()  # without which those commands would find other instances
    fail_on: str = Severity.ERROR.value  # the gate; "none" where findings fail nothing
    allow_empty: bool = False
    anchor: str | None = None  # the file that annotations point at: expectations, configuration
    sections: tuple[Section, ...] = ()  # conformance, comparison
    known: Mapping[Finding, str] | None = None  # findings of a baseline, and why; None without one

    @staticmethod
    def traces(analysis: Analysis) -> int:
        """Number of different trace ids."""
        spans = analysis.recording.spans
        return len(trace_codes(words(spans["trace_hi"]), words(spans["trace_lo"]))[1])

    @staticmethod
    def services(analysis: Analysis) -> int:
        """Number of services that emitted a span."""
        return analysis.recording.spans["service"].drop_nulls().n_unique()

    def fails(self, severity: Severity) -> bool:
        """Whether a finding of this severity fails the run."""
        gate = self.fail_on
        return gate != "none" and severity.rank <= Severity(gate).rank

    def obstacles(self, analysis: Analysis) -> list[str]:
        """Why the run cannot be green whatever was found (exit code 3). Ours, nothing foreign."""
        lost = sum(analysis.recording.intake.rejected.values())
        said = [f"{count(lost, 'piece')} of the input could not be read"] if lost else []
        if analysis.instances.height or self.allow_empty:
            return said
        before = self.instances_before_where or 0
        if self.where and before:
            return [*said, f"nothing to analyse: the filter keeps 0 of {count(before, 'instance')}"]
        spans = count(analysis.recording.spans.height, "span")
        return [*said, f"nothing to analyse: {spans}, no workflow instance"]

    def show_command(self, analysis: Analysis) -> str:
        """`choreoscope show ... --instance`, for a shell; an id is to follow. Escaped."""
        sources = self.sources or analysis.recording.intake.sources
        options = shlex.join(self.options)
        tail = f" {options} --instance" if options and options.isprintable() else " --instance"
        usable = all(s.isprintable() and s != "-" for s in sources)
        if sources and usable and len(" ".join(sources)) <= PASTED:
            return escape(f"choreoscope show {shlex.join(sources)}{tail}")
        return escape(f"choreoscope show SOURCE...{tail}")
