"""Ids, keys and traces of instances, and the workflow each one belongs to."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, Words, distinct, ints, mix, words
from analyzer.context import hex_strings, trace_hexes
from analyzer.steps.table import StepTable
from analyzer.stitching.evidence import Tier
from analyzer.stitching.index import SpanIndex
from analyzer.stitching.roles import Role
from analyzer.stitching.stitch import Stitching

_ODD = np.uint64(0x9E3779B97F4A7C15)


def component_ids(spans: pl.DataFrame, index: SpanIndex, stitching: Stitching) -> pl.Series:
    """A stable id for each component: its strongest key value, else its first trace.

    Ids do not depend on what else is in the recording, except where one trace or key value
    names several components: then the first span's id is added.
    """
    component = stitching.component
    count = int(component.max(initial=-1)) + 1
    first = _first_row(component, count)
    name = trace_hexes(spans, first)
    values = stitching.keys
    strong = np.flatnonzero(values.tier <= Tier.KEY)
    if len(strong):
        keyed = pl.DataFrame(
            {
                "component": component[values.row[strong]],
                "tier": -values.tier[strong],
                "name": values.name[strong],
                "value": values.value[strong],
            }
        ).sort("component", "tier", "name", "value")
        best = keyed.unique("component", keep="first", maintain_order=True)
        chosen = values.texts[ints(best["value"]).tolist()]
        label = chosen.select(pl.concat_str("name", pl.lit("="), "text")).to_series()
        named = pl.DataFrame({"component": best["component"], "label": label})
        name = (
            pl.DataFrame({"component": np.arange(count), "name": name})
            .join(named, on="component", how="left", maintain_order="left")
            .select(pl.coalesce("label", "name"))
            .to_series()
        )
    several = name.is_duplicated()
    if several.any():
        span = hex_strings(words(spans["span_id"])[first].reshape(-1, 1))
        name = pl.select(
            pl.when(several).then(name + pl.lit("/") + span).otherwise(name)
        ).to_series()
    return name.alias("id")


def _first_row(component: Ints, count: int) -> Ints:
    first = np.full(count, len(component), dtype=np.int64)
    first[component[::-1]] = np.arange(len(component) - 1, -1, -1)
    return first


def instance_names(table: StepTable, labels: pl.DataFrame, orphaned: Flags) -> pl.Series:
    """The workflow of each instance: the label of its first step.

    Of an orphaned instance the beginning is missing: it belongs to the workflow in which its
    first step occurs most often, if there is one.
    """
    first = _causal_beginnings(table)
    label = table.label[first].copy()
    lost = np.flatnonzero(orphaned)
    if len(lost) and len(lost) < len(first):
        whole = ~orphaned[table.instance]
        known = pl.DataFrame(
            {"label": table.label[whole], "workflow": label[table.instance[whole]]}
        )
        usual = (
            known.group_by("label", "workflow")
            .len()
            .sort(["len", "workflow"], descending=[True, False])
            .unique("label", keep="first", maintain_order=True)
        )
        found = pl.DataFrame({"label": label[lost]}).join(
            usual, on="label", how="left", maintain_order="left"
        )
        guess = ints(found["workflow"])
        label[lost] = np.where(guess >= 0, guess, label[lost])
    names = labels.select(
        pl.concat_str(
            pl.col("service").cast(pl.String), pl.lit(": "), pl.col("operation").cast(pl.String)
        )
    ).to_series()
    return names[label].alias("workflow")


def _causal_beginnings(table: StepTable) -> Ints:
    """By instance: its first step that nothing led to; clocks may put others before it."""
    begins = np.ones(len(table), dtype=np.bool_)
    begins[1:] = table.instance[1:] != table.instance[:-1]
    first = np.flatnonzero(begins)
    free = np.ones(len(table), dtype=np.bool_)
    free[table.target] = False
    roots = np.flatnonzero(free)[::-1]
    first[table.instance[roots]] = roots  # the earliest is written last
    return first


def variants(table: StepTable, labels: pl.DataFrame) -> pl.Series:
    """A hash of each instance's causal graph over labels; repetitions count once.

    The set of (label, label) edges and of labels without an edge into them, hashed by sum: the
    same for any order of arrival, and for any recording that the instance stands in.
    """
    size = len(labels) + 1
    source, target = table.label[table.source] + 1, table.label[table.target] + 1
    entered = np.zeros(len(table), dtype=np.bool_)
    entered[table.target] = True
    roots = np.flatnonzero(~entered)
    code = np.concatenate([source * size + target, table.label[roots] + 1])
    instance = np.concatenate([table.instance[table.source], table.instance[roots]])
    owner, once = distinct((instance, code))
    name = np.concatenate([np.zeros(1, np.uint64), _stable_hashes(labels)])
    mixed = mix(name[once // size], name[once % size]) * _ODD
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _ODD
    sums = np.zeros(table.instances, dtype=np.uint64)
    np.add.at(sums, owner, mixed ^ (mixed >> np.uint64(32)))
    return hex_strings(sums.reshape(-1, 1)).alias("variant")


def _stable_hashes(labels: pl.DataFrame) -> Words:
    """64 bits for each label: codes depend on what else is recorded, names do not."""
    names = labels.select(pl.concat_str("service", pl.lit("\x1f"), "operation")).to_series()
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def sends(table: StepTable) -> Flags:
    """Steps that send a message."""
    return np.asarray(table.role == Role.SEND)
