"""What only a recording knows: a value an instance for own times, waits, rates and durations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from analyzer.codes import ints
from analyzer.comparison.snapshot import (
    Course,
    EdgeFacts,
    EdgeKey,
    Snapshot,
    StepFacts,
    StepKey,
)
from analyzer.comparison.statistics import Floats, sample
from analyzer.coupling import Crossed

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

NS = 1e9
_STEP = ("workflow", "service", "operation")
_EDGE = ("source", "target", "kind", "destination")


def with_samples(facts: Snapshot, analysis: Analysis) -> Snapshot:
    """The snapshot of this analysis with all that its frames say."""
    steps = _steps(analysis)
    own = dict(_by_step(steps))
    durations = _durations(analysis)
    courses = _courses(analysis, steps)
    workflows = {
        name: replace(
            workflow,
            steps={key: _step(step, own.get((name, *key))) for key, step in workflow.steps.items()},
            duration=durations.get(name),
            variants=courses.get(name, {}),
        )
        for name, workflow in facts.workflows.items()
    }
    edges = {**facts.edges, **dict(_edges(facts, analysis))}
    return replace(facts, workflows=workflows, edges=edges)


def _steps(analysis: Analysis) -> pl.DataFrame:
    """STEPS with `workflow` and `own_ns`: the time in a step less that in the steps it calls."""
    steps = analysis.steps
    taken = ints(steps["end_ns"]) - ints(steps["start_ns"])
    calls = analysis.edges.filter(pl.col("kind") == "sync")
    inside = np.zeros(len(steps), dtype=np.int64)
    np.add.at(inside, ints(calls["source"]), taken[ints(calls["target"])])
    workflow = analysis.instances["workflow"].fill_null("").gather(steps["instance"])
    return steps.select(
        "instance",
        "error",
        workflow.alias("workflow"),
        pl.col("service", "operation").cast(pl.String).fill_null("None"),
        own_ns=pl.Series(np.maximum(taken - inside, 0)),
    )


def _by_step(steps: pl.DataFrame) -> Iterator[tuple[tuple[str, str, str], tuple[Floats, int]]]:
    """(workflow, service, step) -> mean own time in each instance, instances with an error."""
    an_instance = steps.group_by(*_STEP, "instance").agg(
        pl.col("own_ns").mean(), pl.col("error").any()
    )
    grouped = an_instance.group_by(_STEP).agg(pl.col("own_ns"), pl.col("error").sum())
    for workflow, service, operation, own, failed in grouped.iter_rows():
        yield (workflow, service, operation), (np.asarray(own, np.float64) / NS, int(failed))


def _step(step: StepFacts, seen: tuple[Floats, int] | None) -> StepFacts:
    if seen is None:
        return step
    return replace(step, own=sample(seen[0]), failed=seen[1])


def _durations(analysis: Analysis) -> dict[str, Any]:
    complete = analysis.instances.filter(pl.col("state") == "complete")
    grouped = complete.group_by("workflow").agg(taken=pl.col("end_ns") - pl.col("start_ns"))
    return {name: sample(np.asarray(taken, np.float64) / NS) for name, taken in grouped.iter_rows()}


def _courses(analysis: Analysis, steps: pl.DataFrame) -> dict[str, dict[str, Course]]:
    """Workflow -> variant -> how many complete instances took it, and its steps."""
    complete = (
        analysis.instances.with_row_index("instance")
        .filter(pl.col("state") == "complete")
        .group_by("workflow", "variant")
        .agg(pl.len(), pl.col("instance").min())
    )
    labels = steps.join(complete.select("instance"), on="instance", how="semi")
    of = labels.group_by("instance").agg(
        pl.struct("service", "operation").unique(maintain_order=False)
    )
    found: dict[str, dict[str, Course]] = {}
    rows = complete.join(of, on="instance", how="left").sort("workflow", "variant")
    for _, workflow, variant, count, names in rows.select(
        "instance", "workflow", "variant", "len", "service"
    ).iter_rows():
        keys: frozenset[StepKey] = frozenset(
            (one["service"], one["operation"]) for one in names or ()
        )
        found.setdefault(workflow, {})[variant] = Course(count, keys)
    return found


def _edges(facts: Snapshot, analysis: Analysis) -> Iterator[tuple[EdgeKey, EdgeFacts]]:
    """The edges whose both ends emit, with the calls and the mean wait of each instance."""
    crossings = Crossed(analysis.steps, analysis.edges).crossings.with_columns(
        pl.col(_EDGE).cast(pl.String).fill_null("")
    )
    an_instance = crossings.group_by(*_EDGE, "instance").agg(pl.len(), pl.col("wait_ns").mean())
    grouped = an_instance.group_by(_EDGE).agg(pl.col("len"), pl.col("wait_ns"))
    for source, target, kind, destination, calls, waits in grouped.iter_rows():
        key = (source, target, kind, destination)
        known = facts.edges.get(key)
        # An edge that also leads to a silent participant has calls that the crossings lack.
        if known is not None and known.calls == sum(calls):
            wait = sample(np.asarray([w for w in waits if w is not None], np.float64) / NS)
            yield key, replace(known, wait=wait, rate=sample(np.asarray(calls, np.float64)))
