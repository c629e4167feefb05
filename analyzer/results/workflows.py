"""Workflows: instances that begin alike, with their steps, variants and rhythm."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.analysis import StepProfile, Workflow
from analyzer.codes import combine, ints
from analyzer.context import Context
from analyzer.finding import State

BINS = 24
LONGEST = 2.0**62  # ns; quantiles are floats, and the largest integer is none


def workflows(
    context: Context, instances: pl.DataFrame, styles: pl.DataFrame
) -> tuple[Workflow, ...]:
    """One entry a workflow, the largest first."""
    if instances.is_empty():
        return ()
    profiles = _profiles(context, instances)
    style = dict(styles.iter_rows())
    states = _states(instances)
    figures = _figures(instances)
    rhythm = _starts_per_bin(instances)
    found = [
        Workflow(
            name=str(name),
            instances=count,
            by_state=states[name],
            variants=variants,
            style=style.get(name, "undetermined"),
            steps=profiles.get(str(name), ()),
            p50_ns=p50 or 0,
            p95_ns=p95 or 0,
            starts_per_bin=rhythm[name],
        )
        for name, count, variants, p50, p95 in figures.iter_rows()
    ]
    return tuple(sorted(found, key=lambda one: (-one.instances, one.name)))


def _states(instances: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Number of instances by workflow and state, the states in order of their names."""
    found: dict[str, dict[str, int]] = {}
    for name, state, count in instances.group_by("workflow", "state").len().sort("state").rows():
        found.setdefault(name, {})[state] = count
    return found


def _figures(instances: pl.DataFrame) -> pl.DataFrame:
    """workflow, instances, variants, p50 and p95 of the durations of complete instances."""
    done = pl.col("state") == State.COMPLETE.value
    duration = (pl.col("end_ns") - pl.col("start_ns")).filter(done)
    return instances.group_by("workflow").agg(
        pl.len(),
        pl.col("variant").n_unique(),
        p50=duration.quantile(0.5, "nearest").clip(upper_bound=LONGEST).cast(pl.Int64),
        p95=duration.quantile(0.95, "nearest").clip(upper_bound=LONGEST).cast(pl.Int64),
    )


def _starts_per_bin(instances: pl.DataFrame) -> dict[str, tuple[int, ...]]:
    """By workflow: instances started in each of BINS equal parts of all; integers, to be exact."""
    starts = ints(instances["start_ns"])
    low, high = int(starts.min()), int(starts.max())
    width = max(1, -(-(high - low + 1) // BINS))
    names = instances["workflow"].cast(pl.Categorical)
    code, first = combine(ints(names))
    counts = np.bincount(code * BINS + (starts - low) // width, minlength=len(first) * BINS)
    rows = counts.reshape(len(first), BINS).tolist()
    return dict(zip(names.gather(first).to_list(), map(tuple, rows), strict=True))


def _profiles(context: Context, instances: pl.DataFrame) -> dict[str, tuple[StepProfile, ...]]:
    table = context.table
    frame = pl.DataFrame(
        {
            "workflow": instances["workflow"].cast(pl.Categorical)[table.instance],
            "label": table.label,
            "role": table.role,
            "instance": table.instance,
            "error": table.error,
            "offset": table.start - instances["start_ns"].to_numpy()[table.instance],
        }
    )
    grouped = (
        frame.group_by("workflow", "label")
        .agg(
            role=pl.col("role").min(),
            instances=pl.col("instance").n_unique(),
            occurrences=pl.len(),
            errors=pl.col("error").sum(),
            p50=pl.col("offset").quantile(0.5, "lower"),
            p95=pl.col("offset").quantile(0.95, "lower"),
        )
        .with_columns(pl.col("workflow").cast(pl.String))
        .sort("workflow", "p50", "label")
    )
    totals = dict(instances.group_by("workflow").len().iter_rows())
    found: dict[str, list[StepProfile]] = {}
    for workflow, label, role, count, occurrences, errors, p50, p95 in grouped.iter_rows():
        service, operation = context.label_text(label)
        profile = StepProfile(
            service=str(service),
            operation=str(operation),
            kind=ROLE_NAMES[role],
            instances=count,
            occurrences=occurrences,
            errors=errors,
            share=round(count / totals[workflow], 4),
            p50_ns=int(p50),
            p95_ns=int(p95),
        )
        found.setdefault(workflow, []).append(profile)
    return {name: tuple(steps) for name, steps in found.items()}


ROLE_NAMES = ("inside", "request", "call", "send", "receive", "process", "task")
