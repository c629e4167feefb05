"""What is wrong, group by group: causes with evidence, and a picture of an example."""

from __future__ import annotations

import polars as pl

from analyzer.analysis import Analysis, Instance
from analyzer.finding import Cause, Evidence, Finding
from analyzer.reporters.context import Context
from analyzer.reporters.groups import Group, instance_groups
from analyzer.reporters.html import blocks, lanes_picture
from analyzer.reporters.html.markup import Child, Html, join, tag, text
from analyzer.reporters.instances import ordered
from analyzer.reporters.rules import rule
from analyzer.reporters.text_findings import example_id, where
from analyzer.reporters.units import SECOND, count, duration, moment

IN_FULL = 20
PICTURES = 8  # of the worst groups; a picture takes up to 20 KB
ROWS = 300
REASONS = 4
EXAMPLES = 100
EVIDENCE = 20


def section(analysis: Analysis, context: Context) -> Html:
    """The worst groups in full, more of them as rows, the rest counted."""
    groups = instance_groups(analysis.findings)
    if not groups:
        return blocks.section("findings", "Findings", tag("p", "None about instances."))
    total = sum(len(group.findings) for group in groups)
    cards = [
        _card(group, analysis, context, position < PICTURES)
        for position, group in enumerate(groups[:IN_FULL])
    ]
    rest = groups[IN_FULL:]
    return blocks.section(
        "findings",
        "Findings",
        join(cards),
        _rows(rest) if rest else None,
        note=f"{count(total, 'finding')} in {count(len(groups), 'group')}, worst first",
    )


def _card(group: Group, analysis: Analysis, context: Context, pictured: bool) -> Html:
    worst = group.worst
    instance = _worst_instance(group, analysis)
    title = tag(
        "h3",
        blocks.severity(worst.severity.value),
        " ",
        rule(group.kind).title,
        tag("code", text(group.kind, 60), class_="kind"),
        tag("span", _scope(group), class_="note"),
    )
    return tag(
        "article",
        title,
        tag("p", text(worst.message, 800), class_="message"),
        _also(group),
        _facts(group, analysis),
        _causes(worst),
        lanes_picture.figure(instance) if pictured and instance else None,
        _example(group, instance, analysis, context),
        _evidence(group),
        class_=f"card sev-{worst.severity.value}",
    )


def _scope(group: Group) -> str:
    parts = [count(group.instances, "instance")] if group.examples else []
    return " · ".join([*parts, f"confidence {group.worst.confidence:.2f}"])


def _also(group: Group) -> Html | None:
    """One fault reads differently in each workflow where it surfaces."""
    first: dict[str | None, Finding] = {}
    for finding in group.findings:
        first.setdefault(finding.workflow, finding)
    others = [f.message for f in list(first.values())[1:] if f.message != group.worst.message]
    if not others:
        return None
    shown = [tag("li", message) for message in others[:3]]
    return tag("ul", join(shown), blocks.cut(len(others) - 3, "message"), class_="also")


def _facts(group: Group, analysis: Analysis) -> Html | None:
    worst, since = group.worst, group.since_ns
    late = group.overdue_s
    ago = f"{duration(max(analysis.as_of_ns - since, 0))} ago" if since is not None else ""
    workflows = [text(name, 80) for name in list(group.workflows)[:3]]
    return blocks.facts(
        (
            ("Workflow", Html(", ".join(workflows))),
            ("Where", where(worst)),
            ("Owner", text(worst.owner, 80) if worst.owner else ""),
            ("Since", f"{moment(since)} ({ago})" if since is not None else ""),
            ("Overdue", duration(late * SECOND) if late else ""),
        )
    )


def _causes(finding: Finding) -> Html | None:
    if not finding.causes:
        return None
    shown = [_cause(cause) for cause in finding.causes[:3]]
    title = "Likely cause" if len(finding.causes) == 1 else "Likely causes"
    return join([
        tag("p", title, class_="small"),
        tag("ul", join(shown), class_="causes"),
        blocks.cut(len(finding.causes) - 3, "cause"),
    ])  # fmt: skip


def _cause(cause: Cause) -> Html:
    said = f"{cause.confidence:.2f}"
    reasons = [tag("li", tag("b", "for "), reason) for reason in cause.supports[:REASONS]]
    reasons += [tag("li", tag("b", "against "), reason) for reason in cause.against[:REASONS]]
    hidden = max(len(cause.supports) - REASONS, 0) + max(len(cause.against) - REASONS, 0)
    return tag(
        "li",
        tag("b", text(cause.cause, 60)),
        " ",
        blocks.meter(cause.confidence, f"confidence {said}"),
        " ",
        said,
        tag("ul", join(reasons)) if reasons else None,
        blocks.cut(hidden, "reason"),
    )


def _worst_instance(group: Group, analysis: Analysis) -> Instance | None:
    """The group's worst; none where a filter left out all of them."""
    named = analysis.instances.filter(pl.col("id").is_in(group.examples))
    ranked = ordered(named, "state", analysis.as_of_ns)
    if not ranked.height:
        return None
    return Instance(analysis, int(analysis.instances["id"].search_sorted(ranked["id"][0])))


def _example(
    group: Group, instance: Instance | None, analysis: Analysis, context: Context
) -> Html | None:
    if not group.examples:
        return None
    name = str(instance.fields["id"]) if instance else None
    command = f"{context.show_command(analysis)} {example_id(group, name)}"
    shown = [tag("li", tag("code", text(name, 120))) for name in group.examples[:EXAMPLES]]
    listed = tag("ul", join(shown), class_="ids")
    rest = blocks.cut(len(group.examples) - EXAMPLES, "instance")
    return join([
        tag("pre", tag("code", text(command, 600)), tabindex=0, aria_label="To look closer"),
        blocks.fold(count(len(group.examples), "instance"), listed, rest),
    ])  # fmt: skip


def _evidence(group: Group) -> Html | None:
    worst = group.worst
    if not worst.evidence and not worst.needs:
        return None
    rows = [_span(evidence) for evidence in worst.evidence[:EVIDENCE]]
    table = blocks.table("Spans that show it", ("Role", "Trace", "Span"), rows)
    needs = [tag("li", need) for need in worst.needs[:REASONS]]
    surer = join([tag("p", "What would make it surer:"), tag("ul", join(needs))])
    return blocks.fold(
        "Evidence",
        table if rows else None,
        blocks.cut(len(worst.evidence) - EVIDENCE, "span"),
        surer if needs else None,
    )


def _span(evidence: Evidence) -> tuple[Child, ...]:
    trace, span = text(evidence.trace_id, 64), text(evidence.span_id, 32)
    return text(evidence.role, 60), tag("code", trace), tag("code", span)


def _rows(groups: list[Group]) -> Html:
    rows: list[tuple[Child, ...]] = [
        (
            blocks.severity(group.worst.severity.value),
            text(group.kind, 60),
            f"{group.instances:,}",
            text(group.worst.service or "", 60),
            text(group.worst.message, 240),
        )
        for group in groups[:ROWS]
    ]
    heads = ("Severity", "Finding", "Instances", "Who acts", "What")
    hidden = sum(group.instances for group in groups[ROWS:])
    tail = f" ({count(hidden, 'instance')}): see the JSON report"
    return join([
        blocks.table("More findings", heads, rows, "--r--"),
        blocks.cut(len(groups) - ROWS, "group", tail),
    ])  # fmt: skip
