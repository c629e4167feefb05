"""Long chains of calls that all have to answer at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, flags, ints
from analyzer.coupling.chains import climb, first_source
from analyzer.coupling.facts import Facts
from analyzer.coupling.score import MIN_EDGE_INSTANCES, hotspot, middle, percent, share
from analyzer.finding import Hotspot

# Gateway, edge, domain and data service make three calls in a row: ordinary layers. With a
# fourth, and wherever the workflow has messages to do without the third, it is worth a word.
LAYERS = 3
MIN_SHARE = 0.05  # of the workflow's instances: rarer is a detour, not its shape


@dataclass(frozen=True)
class Chains:
    """Chains of calls, one value a step."""

    instance: Ints
    parent: Ints  # caller's step, -1 at a chain's head
    depth: Ints  # calls between services from the head to here
    is_call: Flags  # the call that led here came from another service


def chains(facts: Facts) -> Chains:
    """Depth of each step in its chain of calls; a message starts a new one."""
    both, edges, count = facts.crossed.ends, facts.crossed.edges, len(facts.crossed.steps)
    sync = flags(edges["kind"] == "sync") & flags(edges["tier"] == "E1")
    parent = first_source(count, both.source[sync], both.target[sync])
    service = both.service
    is_call = (parent >= 0) & (service != service[parent])
    _, depth = climb(parent, is_call.astype(np.int64))
    return Chains(facts.crossed.instance, parent, depth, is_call)


def synchronous_chains(facts: Facts) -> Iterator[Hotspot]:
    """The longest chain of each workflow where it is longer than layers explain."""
    if facts.crossed.edges.is_empty():
        return
    found = chains(facts)
    deep = _deep_runs(facts, found)
    if deep.is_empty():
        return
    deep = deep.with_columns(blocked=_blocked_share(facts, found, ints(deep["instance"])))
    for key, runs in deep.group_by("workflow", maintain_order=True):
        n = facts.workflow_sizes[str(key[0])]
        if len(runs) >= max(MIN_EDGE_INSTANCES, MIN_SHARE * n):
            yield _describe(facts, found, str(key[0]), runs, n)


def _deep_runs(facts: Facts, found: Chains) -> pl.DataFrame:
    """Instances with a chain beyond the limit of their workflow: instance, workflow, hops."""
    longest = np.zeros(len(facts.instances), dtype=np.int64)
    np.maximum.at(longest, found.instance, found.depth)
    rows = np.flatnonzero(longest >= LAYERS)
    runs = pl.DataFrame(
        {"instance": rows, "workflow": facts.workflows.gather(rows), "hops": longest[rows]}
    )
    messaging = [
        workflow
        for workflow, edges in facts.workflow_edges.items()
        if any(edge.kind != "sync" for edge in edges)
    ]
    return runs.filter((pl.col("hops") > LAYERS) | pl.col("workflow").is_in(messaging))


def _blocked_share(facts: Facts, found: Chains, instances: Ints) -> pl.Series:
    """Share of each of these instances' durations in which a chain's head awaits an answer.

    Calls side by side count once: what a call adds to the latest end seen before it.
    """
    start, end = ints(facts.instances["start_ns"]), ints(facts.instances["end_ns"])
    wanted = np.zeros(len(facts.instances), dtype=np.bool_)
    wanted[instances] = True
    calls = np.flatnonzero(found.is_call & (found.depth == 1) & wanted[found.instance])
    of, steps = found.instance[calls], facts.crossed.steps
    since = ints(steps["start_ns"])[calls] - start[of]
    until = ints(steps["end_ns"])[calls] - start[of]
    busy = latest_before(of, until)
    added = np.maximum(until - np.maximum(since, busy), 0)
    waited = np.bincount(of, weights=added, minlength=len(start))[instances]
    return pl.Series(np.minimum(waited / np.maximum(end - start, 1)[instances], 1.0))


def latest_before(group: Ints, value: Ints) -> Ints:
    """For each row, the greatest value of the rows before it in its group, at least 0.

    Rows are sorted by group. One running maximum over all: each group is lifted above the one
    before, in coarser units where 64 bits would not hold that.
    """
    value = np.maximum(value, 0)
    rank = np.cumsum(np.append(0, group[1:] != group[:-1]))[: len(group)]
    width, groups = int(value.max(initial=0)) + 1, int(rank.max(initial=0)) + 1
    unit = width * groups // 2**62 + 1
    width = width // unit + 1
    running = np.maximum.accumulate(value // unit + rank * width)
    before = np.append(0, running[:-1])[: len(group)] - rank * width
    result: Ints = np.maximum(before, 0) * unit
    return result


def _describe(facts: Facts, found: Chains, workflow: str, runs: pl.DataFrame, n: int) -> Hotspot:
    hops = ints(runs["hops"])
    usual, most = int(np.bincount(hops).argmax()), int(hops.max())
    names = _names(facts, found, int(runs["instance"][int(np.argmax(hops == usual))]), usual)
    blocked = middle(runs["blocked"])
    parts = {
        # what a chain of twice the layers has is 0.5; it nears 1 and never reaches it
        "length": (0.5, 1 - LAYERS / (usual + 1)),
        "blocked": (0.3, blocked),
        "spread": (0.2, share(len(runs), n)),
    }
    message = (
        f"{usual} calls in a row in {workflow}: {' → '.join(names)}; all must be up at once; "
        f"{percent(blocked)} of the duration is spent waiting for them "
        f"({len(runs)} of n = {n} instances, at most {most} in a row)"
    )
    return hotspot("synchronous-chain", names, parts, message)


def _names(facts: Facts, found: Chains, instance: int, hops: int) -> tuple[str, ...]:
    """Services along the first deepest chain of one instance."""
    first, last = np.searchsorted(found.instance, [instance, instance + 1])
    row = int(first) + int(np.argmax(found.depth[first:last] == hops))
    service = facts.crossed.steps["service"]
    names = [str(service[row])]
    while row >= 0 and len(names) <= hops:
        if found.is_call[row]:
            names.append(str(service[int(found.parent[row])]))
        row = int(found.parent[row])
    return tuple(reversed(names))
