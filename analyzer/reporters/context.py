"""What a report knows beside the analysis: how it may draw, and what it was narrowed to."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.analysis import Analysis
from analyzer.reporters.style import Style

DEFAULT_STYLE = Style()


@dataclass(frozen=True, slots=True)
class Context:
    """Given to every reporter."""

    style: Style = DEFAULT_STYLE
    where: str = ""
    instances_before_where: int | None = None
    sources: tuple[str, ...] = ()  # as the user typed them, for the commands a report proposes
    options: tuple[str, ...] = ()  # without which those commands would find other instances

    @staticmethod
    def traces(analysis: Analysis) -> int:
        """Number of different trace ids."""
        spans = analysis.recording.spans
        return spans.select("trace_hi", "trace_lo").n_unique() if spans.height else 0

    @staticmethod
    def services(analysis: Analysis) -> int:
        """Number of services that emitted a span."""
        return analysis.recording.spans["service"].drop_nulls().n_unique()
