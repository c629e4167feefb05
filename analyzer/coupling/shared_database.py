"""Databases that several services write to."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from analyzer.coupling.facts import Facts
from analyzer.coupling.names import writes
from analyzer.coupling.score import MIN_EDGE_INSTANCES, hotspot, share
from analyzer.finding import Hotspot

_IDENTITY = ("db_system", "db_namespace", "peer")
# Names that a fresh server or driver gives: the same on many servers, so they need a host.
_COMMON = ("", "default", "postgres", "mysql", "master", "test", "admin", "main", "public", "local")
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def shared_databases(facts: Facts) -> Iterator[Hotspot]:
    """Databases with two writers; or two users, where the spans' names do not say who writes.

    A database is system, namespace and host. Without a host, or on the loopback, a number or a
    name that every fresh server has is nobody's in particular, and is left out.
    """
    used = facts.spans.select("service", "name", *_IDENTITY).filter(
        pl.col("db_namespace").is_not_null()
    )
    if used.is_empty():
        return
    counts = _counts(used)
    for key, users in counts.group_by(_IDENTITY, maintain_order=True):
        if len(users) > 1:
            yield from _judge(tuple(map(str, key)), users, len(facts.emitting))


def _counts(used: pl.DataFrame) -> pl.DataFrame:
    """Spans by database and service: spans, written, unclear; sorted; only what can be told."""
    names = used.select("name").unique().with_columns(text=pl.col("name").cast(pl.String))
    verdict = [writes(name or "") for name in names["text"]]
    judged = names.with_columns(pl.Series("writes", verdict, dtype=pl.Boolean)).drop("text")
    key = [*_IDENTITY, "service"]
    counts = (
        used.group_by(*key, "name")
        .agg(n=pl.len())
        .join(judged, on="name", how="left")
        .group_by(key)
        .agg(
            spans=pl.col("n").sum(),
            written=pl.col("n").filter(pl.col("writes")).sum(),
            unclear=pl.col("n").filter(pl.col("writes").is_null()).sum(),
        )
        .with_columns(pl.col(key).cast(pl.String).fill_null(""))
    )
    name = pl.col("db_namespace").str.to_lowercase()
    common = name.is_in(_COMMON) | name.str.contains(r"^\d+$")
    placeless = pl.col("peer").is_in(("", *_LOOPBACK))
    enough = pl.col("spans") >= MIN_EDGE_INSTANCES
    return counts.filter(enough & ~(common & placeless)).sort(key)


def _judge(key: tuple[str, ...], users: pl.DataFrame, services: int) -> Iterator[Hotspot]:
    writers = users.filter(pl.col("written") >= MIN_EDGE_INSTANCES)
    unclear = users.filter((pl.col("written") > 0) | (pl.col("unclear") > 0))
    if len(writers) > 1:
        yield _describe(key, users, writers, services)
    elif len(unclear) > 1:
        yield _describe(key, unclear, writers.clear(), services)


def _describe(
    key: tuple[str, ...], users: pl.DataFrame, writers: pl.DataFrame, services: int
) -> Hotspot:
    system, name, peer = key
    written = writers["written"].sort(descending=True).to_list()
    parts = {
        "writers": (0.5, 1 - 1 / len(writers) if len(writers) else 0.0),
        # of the writes, what is not the main writer's; one half is where nobody owns it
        "balance": (0.3, 2 * (1 - share(written[0], sum(written))) if written else 0.0),
        "users": (0.2, share(len(users), services)),
    }
    names = tuple(writers["service"] if len(writers) else users["service"])
    place = f" at {peer}" if peer else ""
    verb = "written by" if len(writers) else "used by (who writes, the span names do not say)"
    reading = len(users) - len(names)
    more = f"; {reading} more use it" if reading else ""
    message = (
        f"Database {name} ({system or 'unknown system'}){place} is {verb} {', '.join(names)}"
        f"{more} (n = {users['spans'].sum()} spans)"
    )
    return hotspot("shared-database", names, parts, message)
