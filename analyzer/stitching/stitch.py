"""Which spans belong to one business workflow instance: union over evidence, with its guards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, connected, distinct, encode, ints, jump
from analyzer.stitching.evidence import Evidence, Tier, message_evidence
from analyzer.stitching.index import SpanIndex
from analyzer.stitching.keys import Conflict, Key, KeyValues, key_values
from analyzer.stitching.roles import Role
from collectors.recording import Recording
from collectors.schema import Kind

QUARANTINE_FLOOR = 50  # fragments a key value may always join
QUARANTINE_FACTOR = 10  # times the 99th percentile of its peers


@dataclass(frozen=True)
class Stitching:
    """The instance of each span, and why."""

    parent: Ints  # parent rows, without the links that were cut at batches and poll loops
    messages: Evidence  # producer -> consumer pairs
    carrier: Flags  # batch receives, poll loops, cron roots: they serve several instances
    component: Ints  # by row: code of its instance
    fragment: Ints  # by row: what parent, links and message ids alone join
    keys: KeyValues
    conflicts: tuple[Conflict, ...] = ()
    quarantined: tuple[str, ...] = ()  # "name=value" of keys that joined far too much


def stitch(
    recording: Recording, index: SpanIndex, role: Ints, keys: Sequence[Key] = ()
) -> Stitching:
    """Join spans into instances over the tiers of evidence; arrival order does not matter."""
    evidence = message_evidence(recording.spans, index, role)
    batch, cut, unit = units(recording.spans, index, role, evidence)
    parent = np.where(cut, -1, index.parent)
    direct = evidence.where(~batch[evidence.target])
    fragment = components(unit, direct.source, direct.target)
    values = key_values(recording, keys, fragment)
    fragment, values, carrier, conflicts = _separate(fragment, values, parent, direct)
    carrier |= batch
    carrier[index.parent[cut]] = True
    values, quarantined = quarantine(fragment, values, carrier)
    component, refused = _join_by_keys(fragment, values)
    return Stitching(
        parent=np.where((parent >= 0) & (component == component[parent]), parent, -1),
        messages=evidence,
        carrier=carrier,
        component=component,
        fragment=fragment,
        keys=values,
        conflicts=tuple(sorted((*conflicts, *refused), key=lambda one: (one.row, one.refused))),
        quarantined=quarantined,
    )


def units(
    spans: pl.DataFrame, index: SpanIndex, role: Ints, evidence: Evidence
) -> tuple[Flags, Flags, Ints]:
    """(batch spans, rows cut from their parents, unit of each row).

    A trace is one unit, unless something in it was cut: then each of its trees is one. A span
    that took messages of two units or more is a batch; since its own trace is cut into more
    units, what consumes from there may be a batch too: repeat until nothing changes.
    """
    unit = index.trace
    batch = np.zeros(len(unit), dtype=np.bool_)
    while True:
        found = batch | batch_spans(unit, evidence)
        cut = cut_parents(spans, index, role, evidence, found)
        finer = _trees(index, np.where(cut, -1, index.parent), cut | found)
        if np.array_equal(found, batch) and np.array_equal(finer, unit):
            return batch, cut, encode(unit)[0]
        batch, unit = found, finer


def _trees(index: SpanIndex, parent: Ints, touched: Flags) -> Ints:
    """Trace codes, and in traces with a touched row a code for each tree of `parent`."""
    split = np.zeros(index.traces, dtype=np.bool_)
    split[index.trace[touched]] = True
    rows = np.flatnonzero(split[index.trace])
    if not len(rows):
        return index.trace
    unit = index.trace.copy()
    unit[rows] = index.traces + jump(parent, parent < 0)[rows]
    return unit


def batch_spans(unit: Ints, evidence: Evidence) -> Flags:
    """Spans that took messages from two units or more: they belong to all of them."""
    batch = np.zeros(len(unit), dtype=np.bool_)
    other = unit[evidence.source] != unit[evidence.target]
    if not other.any():
        return batch
    consumer, _ = distinct((evidence.target[other], unit[evidence.source[other]]))
    batch[consumer[1:][consumer[1:] == consumer[:-1]]] = True
    return batch


def cut_parents(
    spans: pl.DataFrame, index: SpanIndex, role: Ints, evidence: Evidence, batch: Flags
) -> Flags:
    """Rows to take away from their parent: their message came from elsewhere, and the parent
    is a batch, a receive, or the root of a loop that merely hands messages on."""
    cut = np.zeros(len(index.trace), dtype=np.bool_)
    elsewhere = index.trace[evidence.source] != index.trace[evidence.target]
    # a link to a span that was not recorded says as well that the message came from elsewhere
    dangling = index.link_source[(index.link_target < 0)]
    dangling = dangling[np.isin(role[dangling], (Role.PROCESS, Role.RECEIVE))]
    called = np.zeros(len(cut), dtype=np.bool_)
    called[evidence.target[elsewhere]] = called[dangling] = True
    foreign = np.flatnonzero(called & (index.parent >= 0) & ~batch)
    above = index.parent[foreign]
    kind = ints(spans["kind"])
    loop = (index.parent[above] < 0) & ~np.isin(kind[above], (Kind.SERVER, Kind.PRODUCER))
    cut[foreign[batch[above] | (role[above] == Role.RECEIVE) | loop]] = True
    # what hangs under a batch span by id only is found again through that id
    return cut


def components(codes: Ints, source: Ints, target: Ints) -> Ints:
    """Dense codes of the components of `codes` under the pairs of rows (source, target)."""
    count = int(codes.max(initial=-1)) + 1
    if not len(source) or not count:
        return codes
    return encode(connected(count, codes[source], codes[target])[codes])[0]


def _separate(
    fragment: Ints, values: KeyValues, parent: Ints, direct: Evidence
) -> tuple[Ints, KeyValues, Flags, list[Conflict]]:
    """Take fragments apart in which one configured key has several values.

    Top-down each span belongs to the nearest value above it; what stands above several values
    is a carrier (a poll loop, a cron root); a value below another one is a conflict, and the
    upper one is kept, because causality (parent, link) is stronger than a key.
    """
    carrier = np.zeros(len(fragment), dtype=np.bool_)
    primary = values.tier == Tier.KEY
    if not primary.any():
        return fragment, values, carrier, []
    pairs = np.unique(
        np.stack([fragment[values.row], values.name, values.value], axis=1)[primary], axis=0
    )
    owner, count = np.unique(pairs[:, :2], axis=0, return_counts=True)
    torn = np.unique(owner[count > 1][:, 0])
    if not len(torn):
        return fragment, values, carrier, []
    return _take_apart(fragment, values, parent, direct, torn)


def _take_apart(
    fragment: Ints, values: KeyValues, parent: Ints, direct: Evidence, torn: Ints
) -> tuple[Ints, KeyValues, Flags, list[Conflict]]:
    inside = np.isin(fragment, torn)
    above = parent.copy()
    above[direct.target] = direct.source  # the message is the stronger parent
    above[above == np.arange(len(above))] = -1
    own = np.full(len(fragment), -1, dtype=np.int64)
    keyed = inside[values.row] & (values.tier == Tier.KEY)
    first_name = np.full(len(fragment), np.iinfo(np.int64).max)
    np.minimum.at(first_name, values.row[keyed], values.name[keyed])
    chosen = keyed & (values.name == first_name[values.row])
    own[values.row[chosen][::-1]] = values.value[chosen][::-1]
    top = _topmost(above, own >= 0)
    part = np.where(top >= 0, own[top], -1)
    part = _inherit_upwards(above, part, np.flatnonzero(inside & (part < 0)))
    carrier = inside & (part == -2)
    conflicts = _conflicts(values, chosen, part)
    refused = np.isin(np.arange(len(values)), [position for position, _ in conflicts])
    width = len(values.texts) + 3
    label = np.where(inside, (fragment + 1) * width + part + 2, fragment - fragment.max() - 1)
    kept = replace(
        values,
        row=values.row[~refused],
        value=values.value[~refused],
        name=values.name[~refused],
        tier=values.tier[~refused],
    )
    return encode(label)[0], kept, carrier, [conflict for _, conflict in conflicts]


def _topmost(above: Ints, keyed: Flags) -> Ints:
    """The highest row with a key on the way up from each row, itself included; -1 if none."""
    nearest = jump(above, keyed)
    while True:
        higher = np.where(nearest >= 0, above[nearest], -1)
        higher = np.where(higher >= 0, jump(above, keyed)[higher], -1)
        if not (higher >= 0).any():
            return nearest
        nearest = np.where(higher >= 0, higher, nearest)


def _inherit_upwards(above: Ints, part: Ints, rows: Ints) -> Ints:
    """Give rows without a value the one value below them; -2 where there are several."""
    part = part.copy()
    low = np.where(part >= 0, part, np.iinfo(np.int64).max)
    high = part.copy()
    active = np.flatnonzero((part >= 0) & (above >= 0))
    active = active[part[above[active]] < 0]
    seen = 0
    while len(active) and seen <= len(part):
        up = above[active]
        before_low, before_high = low[up].copy(), high[up].copy()
        np.minimum.at(low, up, low[active])
        np.maximum.at(high, up, high[active])
        changed = np.unique(up[(low[up] != before_low) | (high[up] != before_high)])
        active = changed[above[changed] >= 0]
        active = active[part[above[active]] < 0]
        seen += 1
    part[rows] = np.where(high[rows] < 0, -1, np.where(low[rows] == high[rows], low[rows], -2))
    return part


def _conflicts(values: KeyValues, chosen: Flags, part: Ints) -> list[tuple[int, Conflict]]:
    """(position in `values`, conflict) of every value that lost against the one above it."""
    lost = np.flatnonzero(chosen & (part[values.row] >= 0) & (part[values.row] != values.value))
    names = values.texts["name"].to_list()
    texts = values.texts["text"].to_list()
    found = []
    for position in lost.tolist():
        kept, refused = int(part[values.row[position]]), int(values.value[position])
        conflict = Conflict(
            int(values.row[position]),
            f"{names[kept]}={texts[kept]}",
            f"{names[refused]}={texts[refused]}",
        )
        found.append((position, conflict))
    return found


def quarantine(
    fragment: Ints, values: KeyValues, carrier: Flags
) -> tuple[KeyValues, tuple[str, ...]]:
    """Drop key values that join far more fragments than their peers do (tenants, constants),
    and those that stand on carriers, which belong to nobody."""
    keep = ~carrier[values.row]
    if not len(values):
        return values, ()
    frame = pl.DataFrame({"name": values.name, "value": values.value, "f": fragment[values.row]})
    counts = frame.group_by("name", "value").agg(n=pl.col("f").n_unique())
    # peers: the other values of the key, or a constant would be its own yardstick
    peers = counts.group_by("name").agg(
        p99=pl.col("n").quantile(0.99, "lower"), median=pl.col("n").median(), values=pl.len()
    )
    judged = counts.join(peers, on="name")
    usual = pl.when(pl.col("values") < 100).then("median").otherwise("p99")
    limit = pl.max_horizontal(pl.lit(float(QUARANTINE_FLOOR)), QUARANTINE_FACTOR * usual)
    constant = (pl.col("values") <= 3) & (pl.col("n") > QUARANTINE_FLOOR)
    bad = judged.filter((pl.col("n") > limit) | constant).sort("value")
    dropped = ints(bad["value"])
    keep &= ~np.isin(values.value, dropped)
    names = values.texts[dropped.tolist()]
    told = tuple(f"{name}={text}" for name, text in names.select("name", "text").iter_rows())
    return _subset(values, keep), told


def _subset(values: KeyValues, keep: Flags) -> KeyValues:
    return replace(
        values,
        row=values.row[keep],
        value=values.value[keep],
        name=values.name[keep],
        tier=values.tier[keep],
    )


def _join_by_keys(fragment: Ints, values: KeyValues) -> tuple[Ints, list[Conflict]]:
    """Join fragments that share a key value; refuse weaker keys that would join two values of
    the strongest one."""
    if not len(values):
        return fragment, []
    component = _unite(fragment, values)
    primary = int(values.name.min())
    strong = values.name == primary
    frame = pl.DataFrame({"c": component[values.row[strong]], "v": values.value[strong]})
    torn = frame.group_by("c").agg(n=pl.col("v").n_unique()).filter(pl.col("n") > 1)["c"]
    if not len(torn):
        return component, []
    inside = np.isin(component[values.row], ints(torn))
    by_strong = _unite(fragment, _subset(values, strong))
    weak = inside & ~strong
    ends = (
        pl.DataFrame({"value": values.value[weak], "c": by_strong[values.row[weak]]})
        .group_by("value")
        .agg(n=pl.col("c").n_unique())
    )
    bridging = ints(ends.filter(pl.col("n") > 1)["value"])
    refused = weak & np.isin(values.value, bridging)
    if not refused.any():
        return component, []
    told = [
        Conflict(int(values.row[at]), "", f"{name}={text}")
        for at, (name, text) in zip(
            np.flatnonzero(refused).tolist(),
            values.texts[values.value[refused].tolist()].select("name", "text").iter_rows(),
            strict=True,
        )
    ]
    first_of_value = {one.refused: one for one in reversed(told)}
    return _unite(fragment, _subset(values, ~refused)), list(first_of_value.values())


def _unite(fragment: Ints, values: KeyValues) -> Ints:
    count = int(fragment.max(initial=-1)) + 1
    size = count + len(values.texts)
    label = connected(size, fragment[values.row], count + values.value)
    return encode(label[fragment])[0]
