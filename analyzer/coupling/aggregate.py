"""The service graph as two frames: services, and the typed edges between them."""

from __future__ import annotations

import polars as pl

from analyzer.analysis import SERVICE_EDGES, SERVICES
from analyzer.codes import combine, ints
from analyzer.coupling.crossings import CROSSINGS, Crossed
from analyzer.coupling.packing import count_distinct
from collectors.schema import check, complete

_KEY = ("source", "target", "kind", "destination")


def service_edges(
    steps: pl.DataFrame,
    edges: pl.DataFrame,
    calls: pl.DataFrame,
    crossed: Crossed | None = None,
) -> pl.DataFrame:
    """Edges between services, aggregated: SERVICE_EDGES.

    `calls` has a row for each call to a participant that emits nothing: instance, source,
    target, error, start_ns, wait_ns; they become sync edges. `destination` is the sender's name
    for it. `errors` counts the edges whose target failed, times are those of the target's start.
    `crossed`, if there is one of these steps and edges, saves work.
    """
    seen = (crossed or Crossed(steps, edges)).crossings
    silent = calls.with_columns(pl.lit("sync").alias("kind"), pl.col("target").cast(pl.Categorical))
    every = pl.concat([seen, complete(silent, CROSSINGS)])
    grouped = every.group_by(_KEY).agg(
        pl.col("instance").n_unique().alias("instances"),
        pl.len().alias("calls"),
        pl.col("error").sum().alias("errors"),
        _quantile(0.5).alias("p50_wait_ns"),
        _quantile(0.95).alias("p95_wait_ns"),
        pl.col("start_ns").min().alias("first_ns"),
        pl.col("start_ns").max().alias("last_ns"),
    )
    text = grouped.with_columns(pl.col(_KEY).cast(pl.String).fill_null(""))
    return check(complete(text.sort(_KEY), SERVICE_EDGES), SERVICE_EDGES, "service edges")


def _quantile(share: float) -> pl.Expr:
    """A wait that occurred, so that it stays a whole number."""
    return pl.col("wait_ns").quantile(share, interpolation="lower")


def services(
    spans_by_service: pl.DataFrame, steps: pl.DataFrame, service_edges: pl.DataFrame
) -> pl.DataFrame:
    """All services and silent participants: SERVICES, sorted by name.

    `spans_by_service` has name, spans, errors, last_ns. `instances` of a silent participant is
    the most that one edge to it has. Instability is null where nothing depends either way.
    """
    code, first = combine(ints(steps["service"]))
    of_steps = pl.DataFrame(
        {
            "name": steps["service"].gather(first).cast(pl.String),
            "stepped": count_distinct(code, ints(steps["instance"])),
        }
    )
    named = pl.concat(
        [
            spans_by_service.select("name"),
            service_edges.select(name="source"),
            service_edges.select(name="target"),
        ]
    ).unique()
    touched = service_edges.group_by(name="target").agg(
        pl.col("instances").max().alias("reached"), pl.col("last_ns").max().alias("reached_ns")
    )
    joined = named
    for other in (spans_by_service, of_steps, touched, *_degrees(service_edges)):
        joined = joined.join(other, on="name", how="left")
    zero = pl.col("spans", "errors", "ca", "ce").fill_null(0)
    filled = joined.with_columns(
        zero,
        pl.coalesce("stepped", "reached", pl.lit(0)).alias("instances"),
        pl.coalesce("last_ns", "reached_ns").alias("last_ns"),
    ).with_columns(
        (pl.col("ce") / (pl.col("ca") + pl.col("ce"))).fill_nan(None).alias("instability")
    )
    return check(complete(filled.sort("name"), SERVICES), SERVICES, "services")


def _degrees(service_edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(services that depend on each, services that each depends on)."""
    depends = dependencies(service_edges)
    ca = depends.group_by(name="on").agg(pl.col("dependent").n_unique().alias("ca"))
    ce = depends.group_by(name="dependent").agg(pl.col("on").n_unique().alias("ce"))
    return ca, ce


def dependencies(service_edges: pl.DataFrame) -> pl.DataFrame:
    """Who depends on whom (`dependent`, `on`): the one who must know the other's contract.

    A caller and the sender of a command know the target; whoever subscribes to an event knows
    its publisher, so that an event's dependency runs against the message. A reply adds none:
    the asking service knows the answering one already.
    """
    between = service_edges.filter(
        (pl.col("source") != pl.col("target")) & (pl.col("kind") != "reply")
    )
    is_event = pl.col("kind") == "event"
    return between.select(
        dependent=pl.when(is_event).then("target").otherwise("source"),
        on=pl.when(is_event).then("source").otherwise("target"),
    ).unique()
