"""GitHub-flavoured Markdown, short enough for a comment on a pull request or a job summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import networkx as nx

from analyzer.analysis import Analysis, Workflow
from analyzer.escape import Target, clip_middle, escape
from analyzer.finding import Cause
from analyzer.reporters.context import Context
from analyzer.reporters.graph_formats import mermaid
from analyzer.reporters.groups import Group, instance_groups
from analyzer.reporters.section import GLYPHS, Section
from analyzer.reporters.style import SEVERITY_GLYPHS, STATE_GLYPHS, more, prose, state_rank
from analyzer.reporters.summary import verdict
from analyzer.reporters.text import data_remarks
from analyzer.reporters.text_findings import example_id
from analyzer.reporters.units import SECOND, count, duration, moment

# GitHub refuses a comment of more than 65,536 characters; GitLab takes 1,000,000, and a job
# summary 1 MiB. Room is left for a heading that a bot puts above.
LIMIT = 65_000
TAIL = 200  # kept free for the sentence that says what was cut
ROWS = 15
IN_FULL = 6
WORKFLOWS = 12
HOTSPOTS = 8
GRAPH_NODES = 30  # beyond that Mermaid draws a hairball
_MARK = {state: glyphs[0] for state, glyphs in STATE_GLYPHS.items()}


def render(analysis: Analysis, context: Context) -> str:
    """Parts in order of importance, as many as fit; those that do not are named."""
    text, left = "", []
    for title, part in PARTS:
        for block in part(analysis, context):
            if len(text) + len(block) + 2 > LIMIT - TAIL:
                left.append(title)
            else:
                text += block + "\n\n"
    if left:
        text += f"_Cut to fit into a comment: {', '.join(dict.fromkeys(left))}._\n\n"
    return text.rstrip("\n") + "\n"


def _headline(analysis: Analysis, context: Context) -> list[str]:
    state, said = verdict(analysis)
    mark = f"{_MARK[state]} " if state else ""
    blocks = [f"## {mark}{_cell(said)}", _input(analysis, context)]
    return blocks + [f"> **Not green:** {_cell(said)}." for said in context.obstacles(analysis)]


def _input(analysis: Analysis, context: Context) -> str:
    recording = analysis.recording
    facts = [
        *(_cell(source, 60) for source in (context.sources or recording.intake.sources)[:3]),
        f"as of {_cell(moment(analysis.as_of_ns))}",
        count(recording.spans.height, "span"),
        count(context.traces(analysis), "trace"),
        count(context.services(analysis), "service"),
    ]
    if context.where:
        facts.append(f"where {_cell(context.where)}")
    return " · ".join(facts)


def _states(analysis: Analysis, _: Context) -> list[str]:
    states = sorted(analysis.by_state, key=lambda s: (state_rank(s), s))
    if not states:
        return []
    heads = [f"{_MARK.get(state, '?')} {_cell(state)}" for state in states]
    return [
        _table(heads, [[f"{analysis.by_state[state]:,}" for state in states]], "r" * len(heads))
    ]


def _sections(_: Analysis, context: Context) -> list[str]:
    return [block for section in context.sections for block in _section(section)]


def _section(section: Section) -> list[str]:
    title = f"{section.title[:1].upper()}{section.title[1:]}"
    head = f"### {_cell(title)}\n\n{_cell(section.summary)}"
    rows = [
        [GLYPHS[line.verdict][0], _cell(line.subject, 100), _cell(line.title, 100),
         line.verdict.value, _cell(line.detail)]
        for line in section.lines[:ROWS]
    ]  # fmt: skip
    if not rows:
        return [head]
    table = _table(["", "about", "what", "verdict", ""], rows)
    return [head, table, *(_cell(line) for line in more(len(section.lines) - ROWS, "line"))]


def _findings(analysis: Analysis, _: Context) -> list[str]:
    groups = instance_groups(analysis.findings)
    if not groups:
        return ["### Findings\n\nNone about instances."]
    rows = [
        [
            SEVERITY_GLYPHS[group.worst.severity][0],
            _cell(group.kind, 60),
            f"{group.instances:,}",
            _cell(group.worst.service or "", 60),
            _cell(group.worst.message, 300),
        ]
        for group in groups[:ROWS]
    ]
    head = f"### Findings\n\n{count(len(groups), 'group')}, worst first"
    table = _table(["", "finding", "instances", "who acts", "what"], rows, "llrll")
    return [head, table, *(_cell(line) for line in more(len(groups) - ROWS, "group"))]


def _details(analysis: Analysis, context: Context) -> Iterable[str]:
    for group in instance_groups(analysis.findings)[:IN_FULL]:
        yield _detail(group, analysis, context)


def _detail(group: Group, analysis: Analysis, context: Context) -> str:
    worst = group.worst
    glyph = SEVERITY_GLYPHS[worst.severity][0]
    title = f"{glyph} {worst.severity.value}: {group.kind}, {count(group.instances, 'instance')}"
    lines = [f"<details><summary>{escape(prose(title), Target.HTML)}</summary>", ""]
    lines.append(f"{_cell(worst.message, 600)}\n")
    if group.since_ns is not None:
        ago = duration(max(analysis.as_of_ns - group.since_ns, 0))
        late = group.overdue_s
        overdue = f", overdue by {duration(late * SECOND)}" if late else ""
        lines.append(f"- since {_cell(moment(group.since_ns))}, {ago} ago{overdue}")
    lines += [f"- owner: {_cell(worst.owner, 80)}"] if worst.owner else []
    lines += [line for cause in worst.causes[:3] for line in _cause(cause)]
    lines += [f"- would make it surer: {_cell(need)}" for need in worst.needs[:3]]
    if group.examples:
        command = f"{context.show_command(analysis)} {example_id(group)}"
        lines += ["", f"<pre>{escape(escape(command), Target.HTML)}</pre>"]
    return "\n".join([*lines, "", "</details>"])


def _cause(cause: Cause) -> list[str]:
    lines = [f"- cause: **{_cell(cause.cause, 60)}** {cause.confidence:.2f}"]
    for side, reasons in (("for", cause.supports), ("against", cause.against)):
        lines += [f"  - {side}: {_cell(reason, 300)}" for reason in reasons[:3]]
        lines += [f"  - {line}" for line in more(len(reasons) - 3, "reason")]
    return lines


def _workflows(analysis: Analysis, _: Context) -> list[str]:
    ranked = sorted(analysis.workflows, key=lambda w: (-w.instances, w.name))
    if not ranked:
        return []
    rows = [_workflow(workflow) for workflow in ranked[:WORKFLOWS]]
    heads = ["workflow", "instances", "states", "style", "p50", "p95"]
    table = _table(heads, rows, "lrllrr")
    rest = more(len(ranked) - WORKFLOWS, "workflow")
    return ["### Workflows", table, *(_cell(line) for line in rest)]


def _workflow(workflow: Workflow) -> list[str]:
    states = sorted(workflow.by_state, key=lambda s: (state_rank(s), s))
    done = workflow.by_state.get("complete", 0) > 0
    return [
        _cell(workflow.name, 120),
        f"{workflow.instances:,}",
        ", ".join(f"{workflow.by_state[s]:,} {_cell(s, 60)}" for s in states),
        _cell(workflow.style, 60),
        duration(workflow.p50_ns) if done else "",
        duration(workflow.p95_ns) if done else "",
    ]


def _graph(analysis: Analysis, _: Context) -> list[str]:
    """A picture where it can be read; names are cut so that boxes keep their size."""
    graph = analysis.service_graph()
    if not 0 < graph.number_of_nodes() <= GRAPH_NODES:
        return []
    short: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for node, data in graph.nodes(data=True):
        said = clip_middle(escape(data.get("name", node)), 40)
        short.add_node(node, **(data | {"name": said}))
    for source, target, key, data in graph.edges(keys=True, data=True):
        short.add_edge(source, target, key=key, **data)
    fold = "<details><summary>Services and destinations</summary>"
    return [f"{fold}\n\n```mermaid\n{mermaid(short)}```\n\n</details>"]


def _coupling(analysis: Analysis, _: Context) -> list[str]:
    ranked = sorted(analysis.hotspots, key=lambda h: (-h.score, h.kind, h.services))
    if not ranked:
        return []
    rows = [[f"{h.score:.2f}", _cell(h.kind, 60), _cell(h.message, 300)] for h in ranked[:HOTSPOTS]]
    table = _table(["score", "hotspot", "what"], rows, "rll")
    rest = more(len(ranked) - HOTSPOTS, "hotspot")
    return ["### Coupling", table, *(_cell(line) for line in rest)]


def _data(analysis: Analysis, context: Context) -> list[str]:
    lost, remarks = data_remarks(analysis)
    lines = [f"- ▲ {_cell(said)}" for said in lost[:ROWS]]
    lines += [f"- {_cell(said)}" for said in remarks[:ROWS]]
    lines += [f"- {_cell(line)}" for line in more(len(lost) - ROWS, "note")]
    return ["### Data\n\n" + ("\n".join(lines) or "Nothing is missing that we know of.")]


PARTS: Sequence[tuple[str, Callable[[Analysis, Context], Iterable[str]]]] = (
    ("headline", _headline),
    ("states", _states),
    ("sections", _sections),
    ("findings", _findings),
    ("details of findings", _details),
    ("workflows", _workflows),
    ("coupling", _coupling),
    ("data", _data),
    ("picture", _graph),
)


def _cell(text: object, limit: int = 400) -> str:
    """A foreign string inside a paragraph or table cell."""
    return escape(prose(text, limit), Target.MARKDOWN)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> str:
    marks = {"l": ":--", "r": "--:"}
    rule = [marks[align[i]] if align else ":--" for i in range(len(heads))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, rule, *rows))
