"""The reports that `analyze` can write, listed by hand; their code loads when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.reporters.context import Context


@dataclass(frozen=True, slots=True)
class Reporter:
    """A format's name, what it is for, and where the function is that writes it."""

    name: str
    about: str  # a few words for --help and docs/reports.md
    place: str  # "module:function", imported when it is needed: --help must stay fast
    binary: bool = False  # bytes, which no terminal can take

    def render(self, analysis: Analysis, context: Context) -> str | bytes:
        """The report: text, or bytes where `binary`. The same analysis gives the same bytes."""
        module, _, function = self.place.partition(":")
        write: Callable[[Analysis, Context], str | bytes] = getattr(
            import_module(f"analyzer.reporters.{module}"), function
        )
        return write(analysis, context)


REPORTERS: tuple[Reporter, ...] = (
    Reporter("text", "for people, on a terminal", "text:render"),
    Reporter("json", "everything, as `choreoscope schema` describes it", "json:render"),
    Reporter("jsonl", "a header, then one finding a line", "jsonl:render"),
    Reporter("markdown", "a pull request comment or job summary", "markdown:render"),
    Reporter("html", "one file with pictures, for sharing and print", "html.page:render"),
    Reporter("junit", "a suite a workflow, a case a rule", "junit:render"),
    Reporter("sarif", "SARIF 2.1.0, for code scanning", "sarif:render"),
    Reporter("github", "annotations in the log of GitHub Actions", "github:render"),
    Reporter("gitlab", "GitLab's code quality report", "gitlab:render"),
    Reporter("openmetrics", "figures for Prometheus", "openmetrics:render"),
    Reporter("csv", "the table of instances", "tables:instances_csv"),
    Reporter("csv-findings", "the table of findings", "tables:findings_csv"),
    Reporter("parquet", "the table of instances", "tables:instances_parquet", binary=True),
    Reporter("parquet-findings", "the table of findings", "tables:findings_parquet", binary=True),
)
