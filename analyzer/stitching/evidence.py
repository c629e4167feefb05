"""Evidence that one span caused another, in tiers from "parent" down to "same partition offset"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, combine, flags, ints, matches
from analyzer.stitching.index import SpanIndex
from analyzer.stitching.roles import Role

MAX_SKEW_NS = 60 * 10**9  # a consumer this much before its producer is another message
UNIQUE_ID = 16  # characters: ids this long are taken as unique over destinations
MAX_SENDERS = 8  # spans of distinct traces that send one id: more, and it is no message id


class Tier(IntEnum):
    """Kinds of evidence, the strongest first (see docs/stitching.md)."""

    PARENT = 1
    LINK = 2
    CAUSAL_ID = 3
    MESSAGE_ID = 4
    OFFSET = 5
    FRAMEWORK = 6
    KEY = 7
    CONVERSATION = 8
    TIME = 9  # never joins; orders what a key has joined already


CONFIDENCE = {
    Tier.PARENT: 1.0,
    Tier.LINK: 0.99,
    Tier.CAUSAL_ID: 0.97,
    Tier.MESSAGE_ID: 0.95,
    Tier.OFFSET: 0.95,
    Tier.FRAMEWORK: 0.95,
    Tier.KEY: 0.90,
    Tier.CONVERSATION: 0.70,
    Tier.TIME: 0.50,
}


@dataclass(frozen=True)
class Evidence:
    """Directed pairs of rows: the span at `source` caused the span at `target`."""

    source: Ints
    target: Ints
    tier: Ints

    def __len__(self) -> int:
        return len(self.source)

    def where(self, keep: Flags) -> Evidence:
        """Only the pairs where `keep` holds."""
        return Evidence(self.source[keep], self.target[keep], self.tier[keep])


def _pairs(source: Ints, target: Ints, tier: Tier) -> Evidence:
    return Evidence(source, target, np.full(len(source), int(tier), dtype=np.int64))


def _join(parts: list[Evidence]) -> Evidence:
    """All pairs, each once, with its strongest tier; sorted by (target, source)."""
    source = np.concatenate([part.source for part in parts])
    target = np.concatenate([part.target for part in parts])
    tier = np.concatenate([part.tier for part in parts])
    order = np.lexsort((tier, source, target))
    source, target, tier = source[order], target[order], tier[order]
    fresh = np.ones(len(source), dtype=np.bool_)
    fresh[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    return Evidence(source[fresh], target[fresh], tier[fresh])


def message_evidence(spans: pl.DataFrame, index: SpanIndex, role: Ints) -> Evidence:
    """Pairs (producer, consumer) by link, causal id, message id and offset."""
    links = by_link(spans, index, role)
    by_id = _unless_known(index, role, links, by_message_id(spans, role), by_offset(spans, role))
    causal = by_causal_id(spans, role)
    return _join([links, *by_id, causal.where(~_caused(index, role, links, *by_id)[causal.target])])


def _caused(index: SpanIndex, role: Ints, *known: Evidence) -> Flags:
    """Spans whose direct cause is seen: their parent, unless that is a mere poll, or a message."""
    parent = index.parent
    polled = (role[parent] == Role.RECEIVE) & (parent[parent] < 0)
    caused = (parent >= 0) & ~polled
    for evidence in known:
        caused[evidence.target] = True
    return np.asarray(caused)


def _unless_known(
    index: SpanIndex, role: Ints, links: Evidence, *weaker: Evidence
) -> list[Evidence]:
    """Ids only count for consumers whose producer no parent and no link names: the attempts of a
    Celery task share one id, and each has its own send."""
    parent = index.parent
    known = (parent >= 0) & (role[parent] == Role.SEND)
    known[links.target[role[links.source] == Role.SEND]] = True
    return [evidence.where(~known[evidence.target]) for evidence in weaker]


def by_link(spans: pl.DataFrame, index: SpanIndex, role: Ints) -> Evidence:
    """Links that carry a message, or with which a new trace goes on where another stopped.

    An ambient context that was linked by chance is neither: a link from inside a trace to a
    span that sends nothing. What settles a message inside a trace took none.
    """
    source, target = index.link_source, index.link_target
    found = target >= 0
    source, target, marked = source[found], target[found], index.link_is_message[found]
    message = marked | (role[target] == Role.SEND)
    consumes = (role[source] == Role.PROCESS) | (role[source] == Role.RECEIVE)
    continues = (index.parent[source] < 0) & ~index.missing_parent[source]
    sends = role[source] == Role.SEND  # a batch send that links the messages it created
    settles = flags(spans["operation"] == "settle")[source] & ~continues
    keep = (message | consumes | continues) & (source != target) & ~(sends & ~continues) & ~settles
    return _pairs(target[keep], source[keep], Tier.LINK)


def by_causal_id(spans: pl.DataFrame, role: Ints) -> Evidence:
    """NServiceBus related-to -> message id, MassTransit initiator -> correlation id.

    A send comes of its own service's handling of that message, where that was recorded; what
    else names the message comes of its first sending.
    """
    if spans["causal_id"].null_count() == len(spans):
        return _pairs(_none(), _none(), Tier.CAUSAL_ID)
    named = ("causal_id", "message_id", "correlation_id", "start_ns", "service")
    rows = spans.select(named).with_columns(role=role).with_row_index("row")
    effects = rows.filter(pl.col("causal_id").is_not_null()).rename({"causal_id": "id"})
    ids = [rows.rename({name: "id"}) for name in ("message_id", "correlation_id")]
    columns = ["row", "start_ns", "service", "role", "id"]
    causes = pl.concat([part.select(columns).drop_nulls("id") for part in ids])
    causes = causes.sort("start_ns", "row")
    handled = _takers(causes).unique(["id", "service"], keep="first", maintain_order=True)
    sends = effects.select(columns).filter(pl.col("role") == Role.SEND)
    near = sends.join(handled, on=["id", "service"], suffix="_cause")
    near = near.filter(pl.col("start_ns_cause") <= pl.col("start_ns"))
    first = causes.unique("id", keep="first", maintain_order=True)
    far = effects.select(columns).join(near, on="row", how="anti")
    far = far.join(first, on="id", suffix="_cause").filter(pl.col("row") != pl.col("row_cause"))
    pairs = pl.concat([part.select("row", "row_cause") for part in (near, far)])
    return _pairs(ints(pairs["row_cause"]), ints(pairs["row"]), Tier.CAUSAL_ID)


def by_message_id(spans: pl.DataFrame, role: Ints) -> Evidence:
    """The same message id, system and family of destinations, sent before it was received."""
    if spans["message_id"].null_count() == len(spans):
        return _pairs(_none(), _none(), Tier.MESSAGE_ID)
    rows = (
        spans.select("message_id", "system", "destination", "start_ns", "end_ns")
        .with_columns(role=role)
        .with_row_index("row")
        .filter(pl.col("message_id").is_not_null())
    )
    sends, takes = _senders(rows, "message_id"), _takers(rows)
    pairs = takes.join(sends, on="message_id", suffix="_send")
    same_system = pl.col("system").eq_missing(pl.col("system_send")) | pl.any_horizontal(
        pl.col("system", "system_send").is_null()
    )
    unique = pl.col("message_id").str.len_bytes() >= UNIQUE_ID
    here = pl.col("destination").cast(pl.String)
    there = pl.col("destination_send").cast(pl.String)
    family = unique | here.eq_missing(there) | _contains(here, there) | _contains(there, here)
    in_time = pl.col("start_ns_send") <= pl.col("end_ns") + MAX_SKEW_NS
    pairs = pairs.filter(same_system & family & in_time)
    return _pairs(ints(pairs["row_send"]), ints(pairs["row"]), Tier.MESSAGE_ID)


def _contains(long: pl.Expr, short: pl.Expr) -> pl.Expr:
    return long.str.contains(short, literal=True).fill_null(False)


def by_offset(spans: pl.DataFrame, role: Ints) -> Evidence:
    """The same topic, partition and offset on both sides (Kafka)."""
    key = ["destination", "partition", "offset"]
    if spans["offset"].null_count() == len(spans):
        return _pairs(_none(), _none(), Tier.OFFSET)
    known = np.logical_and.reduce([flags(spans[name].is_not_null()) for name in key])
    rows = np.flatnonzero(known & np.isin(role, (Role.SEND, Role.PROCESS, Role.RECEIVE)))
    code, first = combine(*(ints(spans[name])[rows] for name in key))
    sends = role[rows] == Role.SEND
    # what very many spans send is no message
    sent = rows[sends], code[sends]
    few = np.bincount(sent[1], minlength=len(first))[sent[1]] <= MAX_SENDERS
    take, send = matches(code[~sends], sent[1][few], len(first))
    target, source = rows[~sends][take], sent[0][few][send]
    start, end = ints(spans["start_ns"]), ints(spans["end_ns"])
    in_time = start[source] <= end[target] + MAX_SKEW_NS
    return _pairs(source[in_time], target[in_time], Tier.OFFSET)


def _senders(rows: pl.DataFrame, *key: str) -> pl.DataFrame:
    """Sends by id; ids that very many spans send are no message ids."""
    sends = rows.filter(pl.col("role") == Role.SEND)
    return sends.filter(pl.len().over(key) <= MAX_SENDERS)


def _takers(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("role").is_in([int(Role.PROCESS), int(Role.RECEIVE)]))


def _none() -> Ints:
    return np.empty(0, dtype=np.int64)
