"""Every kind of workflow: states, starts over time, how long it takes, and its steps."""

from __future__ import annotations

from analyzer.analysis import Analysis, StepProfile, Workflow
from analyzer.reporters.context import Context
from analyzer.reporters.html import blocks
from analyzer.reporters.html.markup import Child, Html, join, tag, text
from analyzer.reporters.html.svg import rect
from analyzer.reporters.style import states_line
from analyzer.reporters.units import count, duration, percent

SHOWN = 60
PROFILES = 12  # workflows whose steps are listed
STEPS = 40

_HEADS = ("Workflow", "Instances", "States", "Starts", "p50", "p95", "Style", "Variants")


def section(analysis: Analysis, _: Context) -> Html | None:
    """A row a workflow, the ones with trouble first; then the steps of the largest."""
    ranked = sorted(analysis.workflows, key=lambda w: (_healthy(w), -w.instances, w.name))
    if not ranked:
        return None
    rows = [_row(workflow) for workflow in ranked[:SHOWN]]
    caption = "Workflows: states, starts over the recording, time to complete"
    return blocks.section(
        "workflows",
        "Workflows",
        blocks.table(caption, _HEADS, rows, "-r--rr-r"),
        blocks.cut(len(ranked) - SHOWN, "workflow"),
        join(_profile(workflow) for workflow in ranked[:PROFILES] if workflow.steps),
        note=count(len(ranked), "kind"),
    )


def _healthy(workflow: Workflow) -> bool:
    return set(workflow.by_state) <= {"complete", "running", "waiting", "compensated"}


def _row(workflow: Workflow) -> tuple[Child, ...]:
    done = workflow.by_state.get("complete", 0) > 0
    said = states_line(workflow.by_state)
    bar = blocks.states_bar(workflow.by_state, said)
    return (
        text(workflow.name, 120),
        f"{workflow.instances:,}",
        join([bar, tag("span", said, class_="small")]),
        _spark(workflow.starts_per_bin),
        duration(workflow.p50_ns) if done else "",
        duration(workflow.p95_ns) if done else "",
        tag("span", workflow.style, class_="whole"),
        f"{workflow.variants:,}",
    )


def _spark(numbers: tuple[int, ...]) -> Html:
    top = max(numbers, default=0)
    bars = [
        rect(4 * place, 18 - 18 * number / top, 3, 18 * number / top, "level")
        for place, number in enumerate(numbers)
        if number
    ]
    said = f"{sum(numbers):,} starts, at most {top:,} in one of {len(numbers)} parts of the time"
    return tag(
        "svg", tag("title", said), join(bars), viewBox=f"0 0 {4 * len(numbers)} 18",
        class_="spark", role="img", aria_label=said, preserveAspectRatio="none",
    )  # fmt: skip


def _profile(workflow: Workflow) -> Html:
    rows = [_step(step) for step in workflow.steps[:STEPS]]
    heads = ("Service", "Step", "Kind", "Instances", "Share", "Times", "Errors", "p50 after start",
             "p95 after start")  # fmt: skip
    table = blocks.table(f"Steps of {workflow.name}", heads, rows, "---rrrrrr")
    title = f"{count(len(workflow.steps), 'step')} of {text(workflow.name, 120)}"
    return blocks.fold(Html(title), table, blocks.cut(len(workflow.steps) - STEPS, "step"))


def _step(step: StepProfile) -> tuple[Child, ...]:
    return (
        text(step.service, 80),
        text(step.operation, 120),
        step.kind,
        f"{step.instances:,}",
        percent(step.share),
        f"{step.occurrences:,}",
        f"{step.errors:,}" if step.errors else "",
        duration(step.p50_ns),
        duration(step.p95_ns),
    )
