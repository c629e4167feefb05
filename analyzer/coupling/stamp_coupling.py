"""Workflows whose state rides along in ever larger messages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.coupling.chains import climb
from analyzer.coupling.facts import Facts
from analyzer.coupling.score import MIN_INSTANCES, hotspot, percent, share
from analyzer.finding import Hotspot

MIN_HOPS = 2  # three messages: with two, the second may just be another kind of message
GROWTH = 1.1  # from one message to the next: below a tenth, headers and ids may explain it
GROWING = 0.8  # share of the hops that grow
TOTAL = 1.5  # from the first to the last: the first content is there, with half as much again


def stamp_coupling(facts: Facts) -> Iterator[Hotspot]:
    """Workflows where message bodies (`body_size`, bytes) grow from hop to hop."""
    sizes, edges = facts.spans["body_size"], facts.crossed.edges
    if sizes.null_count() == len(sizes) or edges.is_empty():
        return
    hops = _hops(facts)
    long = pl.col("depth") >= MIN_HOPS
    judged = hops.group_by("workflow").agg(
        n=pl.col("instance").filter(long).n_unique(),
        growing=(pl.col("ratio") >= GROWTH).mean(),
        total=pl.col("total").filter(long).median(),
    )
    for row in judged.sort("workflow").iter_rows(named=True):
        enough = row["n"] >= MIN_INSTANCES and row["growing"] >= GROWING
        if enough and row["total"] >= TOTAL:
            yield _describe(facts, hops, **row)


def _hops(facts: Facts) -> pl.DataFrame:
    """One row a message that another came before: workflow, instance, service, depth, growth.

    `ratio` is its size against the one before, `total` against the first of the chain.
    """
    size, before = _sizes(facts)
    top, depth = climb(before, np.ones(len(size), dtype=np.int64))
    rows = np.flatnonzero(before >= 0)
    instance = facts.crossed.steps["instance"].gather(rows)
    return pl.DataFrame(
        {
            "workflow": facts.workflows.cast(pl.Categorical).gather(instance),
            "instance": instance,
            "service": facts.crossed.steps["service"].gather(rows),
            "depth": depth[rows],
            "ratio": size[rows] / size[before[rows]],
            "total": size[rows] / size[top[rows]],
        }
    )


def _sizes(facts: Facts) -> tuple[Ints, Ints]:
    """For each step that takes a message: its size, and the step that took the one before."""
    crossed, count = facts.crossed, len(facts.crossed.steps)
    both, visits = crossed.ends, crossed.visits
    known = ints(facts.spans["body_size"].gather(crossed.steps["span"]), null=0)
    message = np.flatnonzero(both.is_message & crossed.forward)
    source, target = both.source[message], both.target[message]
    chosen = visits.came_from[target] == source
    source, target = source[chosen], target[chosen]
    size = np.zeros(count, dtype=np.int64)
    size[target] = np.where(known[source] > 0, known[source], known[target])
    before = np.full(count, -1, dtype=np.int64)
    before[target] = visits.entry[source]
    before[(size == 0) | (size[before] == 0)] = -1
    return size, before


def _describe(
    facts: Facts, hops: pl.DataFrame, workflow: str, n: int, growing: float, total: float
) -> Hotspot:
    edges = facts.workflow_edges.get(workflow, [])
    calls = sum(edge.calls for edge in edges if edge.kind == "sync")
    parts = {
        "growing": (0.5, growing),
        "growth": (0.3, 1 - 1 / total),
        "no_queries": (0.2, 1 - share(calls, sum(edge.calls for edge in edges))),
    }
    names = _names(hops.filter(pl.col("workflow") == workflow))
    message = (
        f"State rides in the messages of {workflow}: they grow on {percent(growing)} of the hops, "
        f"{total:.1f} times from the first to the last, on the way to {', '.join(names)} "
        f"(n = {n} instances)"
    )
    return hotspot("stamp-coupling", names, parts, message)


def _names(hops: pl.DataFrame) -> tuple[str, ...]:
    """Services that took the larger messages, in the order of the chain."""
    places = hops.group_by(pl.col("service").cast(pl.String)).agg(pl.col("depth").mean())
    return tuple(places.sort("depth", "service")["service"])
