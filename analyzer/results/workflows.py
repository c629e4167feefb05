"""Workflows: instances that begin alike, with their steps, variants and rhythm."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.analysis import StepProfile, Workflow
from analyzer.context import Context
from analyzer.finding import State

BINS = 24


def workflows(
    context: Context, instances: pl.DataFrame, styles: pl.DataFrame
) -> tuple[Workflow, ...]:
    """One entry a workflow, the largest first."""
    if instances.is_empty():
        return ()
    profiles = _profiles(context, instances)
    style = dict(styles.iter_rows())
    starts = instances["start_ns"].to_numpy()
    low, high = int(starts.min()), int(starts.max())
    found = []
    for (name,), part in instances.group_by("workflow", maintain_order=True):
        states = part.group_by("state").len().sort("state")
        done = part.filter(pl.col("state") == State.COMPLETE.value)
        duration = done["end_ns"] - done["start_ns"]
        found.append(
            Workflow(
                name=str(name),
                instances=len(part),
                by_state=dict(states.iter_rows()),
                variants=part["variant"].n_unique(),
                style=style.get(name, "undetermined"),
                steps=profiles.get(str(name), ()),
                p50_ns=_quantile(duration, 0.5),
                p95_ns=_quantile(duration, 0.95),
                starts_per_bin=_histogram(part["start_ns"], low, high),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.instances, one.name)))


def _quantile(values: pl.Series, q: float) -> int:
    found = values.quantile(q, "nearest")
    return 0 if found is None else int(found)


def _histogram(starts: pl.Series, low: int, high: int) -> tuple[int, ...]:
    """Instances started in each of BINS equal parts of [low, high]; integers, to be exact."""
    width = max(1, -(-(high - low + 1) // BINS))
    parts = (starts.to_numpy() - low) // width
    return tuple(int(count) for count in np.bincount(parts, minlength=BINS)[:BINS])


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
