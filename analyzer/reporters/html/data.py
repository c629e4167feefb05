"""How good the data are, which decides how much of the rest to believe."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.reporters.context import Context
from analyzer.reporters.html import blocks
from analyzer.reporters.html.markup import Html, join, tag
from analyzer.reporters.text import data_remarks

SHOWN = 40
PROBLEMS = 40


def section(analysis: Analysis, _: Context) -> Html:
    """What was lost, what is missing, what could not be judged."""
    lost, remarks = data_remarks(analysis)
    calm = "Nothing rejected, no parent or link missing that we know of."
    listed = [tag("li", blocks.mark("▲"), said, class_="warn") for said in lost[:SHOWN]]
    listed += [tag("li", said) for said in remarks[:SHOWN]]
    return blocks.section(
        "data",
        "Data",
        tag("p", calm) if not lost else None,
        tag("ul", join(listed), class_="notes") if listed else None,
        blocks.cut(len(lost) - SHOWN, "note"),
        _problems(analysis),
        note="how much of the findings to believe",
    )


def _problems(analysis: Analysis) -> Html | None:
    problems = analysis.recording.intake.problems
    if not problems:
        return None
    rows = [
        (p.source, f"{p.line:,}" if p.line is not None else "", p.reason, p.detail)
        for p in problems[:PROBLEMS]
    ]
    table = blocks.table("Where the input could not be read",
                         ("Source", "Line", "Reason", "Detail"), rows, "-r")  # fmt: skip
    return join([table, blocks.cut(len(problems) - PROBLEMS, "place")])
