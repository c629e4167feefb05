"""Pairs of services that each start something in the other."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from analyzer.coupling.facts import Facts
from analyzer.coupling.score import MIN_EDGE_INSTANCES, hotspot, percent, share
from analyzer.finding import Hotspot


def bidirectional(facts: Facts) -> Iterator[Hotspot]:
    """One hotspot for each pair with forward edges both ways; replies do not count."""
    there = facts.pairs
    other_way = there.select(source="target", target="source", back="instances", back_sync="sync")
    both = there.join(other_way, on=["source", "target"]).filter(
        pl.col("source") < pl.col("target")
    )
    if both.is_empty():
        return
    runs = _runs(facts, both)
    for row in both.sort("source", "target").iter_rows(named=True):
        yield from _describe(row["source"], row["target"], row, runs)


def _runs(facts: Facts, both: pl.DataFrame) -> pl.DataFrame:
    """Instances by pair and direction: a, b, instance, there, back, wrong."""
    names = pl.concat(
        [
            both.select(a="source", b="target", source="source", target="target"),
            both.select(a="source", b="target", source="target", target="source"),
        ]
    )
    word = pl.col("source", "target").cast(pl.Categorical)
    forward = facts.crossed.crossings.filter(pl.col("kind") != "reply")
    kept = forward.select("instance", "source", "target").join(
        names.with_columns(word), on=["source", "target"]
    )
    wrong = pl.Series("wrong", facts.went_wrong).gather(kept["instance"])
    return (
        kept.with_columns(wrong, is_there=pl.col("source").cast(pl.String) == pl.col("a"))
        .group_by("a", "b", "instance")
        .agg(
            there=pl.col("is_there").any(),
            back=(~pl.col("is_there")).any(),
            wrong=pl.col("wrong").first(),
        )
    )


def _describe(a: str, b: str, row: dict[str, float], runs: pl.DataFrame) -> Iterator[Hotspot]:
    of_pair = runs.filter((pl.col("a") == a) & (pl.col("b") == b))
    happy = of_pair.filter(~pl.col("wrong"))
    ways = [int(of_pair[way].sum()) for way in ("there", "back")]
    in_happy = [int(happy[way].sum()) for way in ("there", "back")]
    together = int((of_pair["there"] & of_pair["back"]).sum())
    only_errors = min(in_happy) < MIN_EDGE_INSTANCES
    parts = {
        "mutual": (0.4, share(together, min(ways))),
        "happy": (0.3, 0.0 if only_errors else min(map(share, in_happy, ways))),
        "synchronous": (0.3, min(row["sync"], row["back_sync"])),
    }
    where = (
        "one of the ways in error variants only, as compensation does"
        if only_errors
        else f"both ways in healthy runs too ({in_happy[0]} and {in_happy[1]})"
    )
    message = (
        f"{a} and {b} each start the other: {ways[0]} times → , {ways[1]} ← , "
        f"{together} of n = {len(of_pair)} instances have both; {where}; "
        f"{percent(row['sync'])} and {percent(row['back_sync'])} of it calls"
    )
    yield hotspot("bidirectional", (a, b), parts, message)
