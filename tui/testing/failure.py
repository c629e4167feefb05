"""Why an assertion failed: the lanes of the instances in question, and the findings about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from analyzer.analysis import Analysis
from analyzer.checks import Check
from analyzer.finding import Finding
from analyzer.reporters import lanes, text_findings
from analyzer.reporters.groups import grouped
from analyzer.reporters.style import Style, joined, name, states_line
from analyzer.reporters.units import count

SHOWN = 2  # instances drawn; the others are counted
STEPS = 60  # of one drawing
STYLE = Style(width=100)


def explain(
    analysis: Analysis, rows: Sequence[int], bad: Sequence[int], called: str, what: str
) -> str:
    """`2 of 10 instances of 'order' are not complete: ...`, and the first of them drawn."""
    states = analysis.instances["state"][list(bad)].to_list()
    said = f"{len(bad):,} of {count(len(rows), 'instance')} of {name(called)}"
    verb = "is" if len(bad) == 1 else "are"
    lines = [f"{said} {verb} not {what}: {states_line(Counter(states))}"]
    for row in bad[:SHOWN]:
        instance = analysis.instance(str(analysis.instances["id"][row]))
        lines += ["", lanes.render(instance, STYLE, STEPS).rstrip()]
    if len(bad) > SHOWN:
        rest = analysis.instances["id"][list(bad[SHOWN:])].to_list()
        lines += ["", f"and {joined(rest, 10)}"]
    return "\n".join(lines)


def findings_text(analysis: Analysis, findings: Iterable[Finding]) -> str:
    """The findings as the text report has them, each with an example drawn where there is one."""
    lines: list[str] = []
    drawn = 0
    for group in grouped(findings):
        block = text_findings.block(group, STYLE, analysis.as_of_ns, "")
        lines += ["", *(line for line in block if not line.lstrip().startswith("look"))]
        if group.examples and drawn < SHOWN:
            drawn += 1
            instance = analysis.instance(group.examples[0])
            lines += ["", lanes.render(instance, STYLE, STEPS).rstrip()]
    return "\n".join(lines)


def broken_text(analysis: Analysis, checks: Sequence[Check]) -> str:
    """The expectations that did not hold or could not be judged, with examples drawn."""
    if not checks:
        return "nothing is expected in the expectations file"
    lines = [f"{count(len(checks), 'expectation')} did not hold, or could not be judged"]
    drawn: list[str] = []
    for check in checks:
        unjudged = "".join(f"; {number:,}: {name(why)}" for why, number in check.why)
        lines.append(
            f"  {check.outcome.value}: {name(check.subject)} {name(check.expected)} "
            f"(held {check.held:,}, broken {check.broken:,}, unjudged {check.unjudged:,}{unjudged})"
            f" {name(check.source)}:{check.line}"
        )
        drawn += [one for one in check.examples[:1] if one not in drawn]
    for identifier in drawn[:SHOWN]:
        lines += ["", lanes.render(analysis.instance(identifier), STYLE, STEPS).rstrip()]
    return "\n".join(lines)


def listed(names: Sequence[str]) -> str:
    """The first of them, escaped, and how many more there are."""
    return joined(names, 10)
