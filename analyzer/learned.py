"""What the recording teaches about a step that is absent: how soon it comes, what comes of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from analyzer.analysis import Analysis
from analyzer.expectation.flow import MIN_SEEN, MIN_SHARE

Label = tuple[str, str]  # service, operation
FOLLOWERS = 12  # an absent step is said to hold up so many at most


@dataclass(frozen=True, slots=True)
class Wait:
    """How long `seen` steps took to follow another, as `analyzer.expectation.flow` learns it."""

    p50_ns: int
    p99_ns: int
    longest_ns: int
    seen: int


def wait_between(analysis: Analysis, before: Label, after: Label) -> Wait | None:
    """The wait from a step `before` to the step `after` that came of it; None where never seen."""
    pairs = _pairs(analysis, before).filter(service=after[0], operation=after[1])
    wait = pairs["wait_ns"]
    if len(wait) < MIN_SEEN:
        return None
    low, high = wait.quantile(0.5, "lower"), wait.quantile(0.99, "lower")
    return Wait(int(low or 0), int(high or 0), int(str(wait.max())), len(wait))


def followers(
    analysis: Analysis, label: Label, there: Collection[Label]
) -> list[tuple[Label, int | None]]:
    """Steps that usually come of `label`, nearest first, without those that are `there`.

    Beside each the place in this list of the step that it comes of; None is `label` itself.
    """
    seen, found = {label, *there}, list[tuple[Label, int | None]]()
    wave: list[tuple[Label, int | None]] = [(label, None)]
    while wave and len(found) < FOLLOWERS:
        after = [(one, place) for name, place in wave for one in _usual(analysis, name)]
        wave = []
        for one, place in after:
            if one not in seen:
                seen.add(one)
                wave.append((one, len(found)))
                found.append((one, place))
    return found[:FOLLOWERS]


def usual_steps(analysis: Analysis, workflow: str) -> int | None:
    """The number of steps that complete instances of the workflow mostly have."""
    there = analysis.instances.filter(workflow=workflow, state="complete")["steps"]
    common = there.mode()
    return int(str(common.max())) if len(common) else None


def _usual(analysis: Analysis, label: Label) -> list[Label]:
    pairs = _pairs(analysis, label)
    if pairs.is_empty():
        return []
    occurrences = int(_is(analysis, label).sum())
    counted = (
        pairs.group_by("service", "operation")
        .agg(pl.len().alias("k"), pl.col("wait_ns").median())
        .filter((pl.col("k") >= MIN_SEEN) & (pl.col("k") >= MIN_SHARE * occurrences))
        .sort("wait_ns", "service", "operation")
    )
    return [(service, operation) for service, operation, *_ in counted.iter_rows()]


def _pairs(analysis: Analysis, label: Label) -> pl.DataFrame:
    """One row for each step of that label and each label that came of it, by the first edge.

    Edges that only the order in time suggests teach nothing about what follows what.
    """
    edges = analysis.edges.filter(_is(analysis, label).gather(analysis.edges["source"]))
    edges = edges.filter(pl.col("tier").cast(pl.String) != "E9").sort("source", "target")
    after = analysis.steps.select(
        pl.col("service").cast(pl.String), pl.col("operation").cast(pl.String)
    )[edges["target"]]
    pairs = pl.concat([edges.select("source", "wait_ns"), after], how="horizontal")
    return pairs.unique(["source", "service", "operation"], keep="first", maintain_order=True)


def _is(analysis: Analysis, label: Label) -> pl.Series:
    steps = analysis.steps
    return (steps["service"] == label[0]) & (steps["operation"] == label[1])
