"""Pairs of services that talk far more in one instance than the other pairs do."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from analyzer.coupling.facts import Facts
from analyzer.coupling.score import MIN_INSTANCES, hotspot, middle, percent, share
from analyzer.finding import Hotspot

# To create, read, list, change and delete once each is five: a whole conversation about one thing.
CONVERSATION = 5.0
TIMES_PEERS = 3.0  # a pair at three times the median stands outside an ordinary spread
MIN_PAIRS = 3  # the pair itself and two others: one other is no company to compare with


def chatty(facts: Facts) -> Iterator[Hotspot]:
    """Pairs above a conversation and far above their peers, by successful edges an instance."""
    rate = (pl.col("calls") - pl.col("errors")) / pl.col("instances")
    # failed ones are left out: they come again, which is a retry and not a conversation
    pairs = facts.pairs.with_columns(rate=rate)
    if len(pairs) < MIN_PAIRS:
        return
    total = int(pairs["calls"].sum())
    for row in pairs.filter(pl.col("instances") >= MIN_INSTANCES).iter_rows(named=True):
        mine = (pl.col("source") == row["source"]) & (pl.col("target") == row["target"])
        peers = middle(pairs.filter(~mine)["rate"])
        limit = max(CONVERSATION, TIMES_PEERS * peers)
        if row["rate"] > limit:
            yield _describe(row, peers, limit, total)


def _describe(row: dict[str, float], peers: float, limit: float, total: int) -> Hotspot:
    source, target, n = str(row["source"]), str(row["target"]), int(row["instances"])
    parts = {
        "excess": (0.6, 1 - limit / row["rate"]),
        "synchronous": (0.2, row["sync"]),
        "traffic": (0.2, share(row["calls"], total)),
    }
    message = (
        f"{source} → {target}: {row['rate']:.1f} edges an instance, where other pairs have "
        f"{peers:.1f} (median); {percent(row['sync'])} are calls (n = {n} instances)"
    )
    return hotspot("chatty", (source, target), parts, message)
