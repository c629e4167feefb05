"""Workflow instances and services as NetworkX graphs, built when somebody asks for one."""

from __future__ import annotations

from typing import Any

import networkx as nx
import polars as pl

from analyzer.analysis import Analysis, Instance
from analyzer.finding import Finding, State, WaitingFor

# The spans that best say where an absent step would have followed.
_ANCHOR_ROLES = ("last-seen", "sent", "send", "producer", "publish", "parent")
# Kinds whose `waiting_for` is something that did not come; of others it is the place.
_ABSENCE = frozenset(
    {
        "stuck",
        "late",
        "missing-step",
        "unconsumed-message",
        "incomplete-compensation",
        "backlog",
        "consumer-dark",
    }
)
_WAITING = (State.STUCK, State.LATE, State.WAITING)


def instance_graph(instance: Instance) -> nx.DiGraph[int]:
    """Steps as nodes (key = row in `Analysis.steps`), causal edges; acyclic where the spans are.

    Node attributes: service, operation, kind, destination, start_ns, end_ns, error, state
    (`ok`, `error` or `expected`), expected, trace_id, span_id. A step that a finding misses is a
    node with a negative key and `expected=True`. Edge attributes: kind, tier, confidence, wait_ns.
    Attributes without a value are left out.
    """
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.graph.update(_present(_summary(instance)))
    for row in steps_with_ids(instance).iter_rows(named=True):
        key = int(row.pop("step"))
        row["state"] = "error" if row["error"] else "ok"
        graph.add_node(key, **_present(row), expected=False)
    _add_edges(graph, instance.edges)
    _add_expected(graph, instance)
    return graph


def steps_with_ids(instance: Instance) -> pl.DataFrame:
    """The instance's steps in order of start, with `trace_id` and `span_id` in hex."""
    spans = instance.analysis.recording.spans
    steps = instance.steps
    ids = spans.select("trace_hi", "trace_lo", "span_id")[steps["span"]]
    return steps.select(
        "step",
        pl.col("service").cast(pl.String),
        pl.col("operation").cast(pl.String),
        pl.col("kind").cast(pl.String),
        pl.col("destination").cast(pl.String),
        pl.col("group").cast(pl.String),
        "start_ns",
        "end_ns",
        "error",
        "shared",
    ).with_columns(
        pl.Series("trace_id", [f"{hi:016x}{lo:016x}" for hi, lo, _ in ids.iter_rows()], pl.String),
        pl.Series("span_id", [f"{span:016x}" for span in ids["span_id"]], pl.String),
    )


def expected_steps(instance: Instance) -> list[tuple[WaitingFor, Finding | None]]:
    """The steps that findings of this instance miss, worst finding first, each named once."""
    found: dict[WaitingFor, Finding | None] = {}
    for finding in sorted(instance.findings, key=lambda f: f.sort_key):
        # where nobody is known to take a message, no step is expected of anybody
        known = finding.waiting_for.service or finding.waiting_for.step
        if finding.kind in _ABSENCE and known:
            found.setdefault(finding.waiting_for, finding)
    fields = instance.fields
    if not found and fields["state"] in _WAITING:
        names = ("waiting_service", "waiting_step", "waiting_destination")
        waiting = WaitingFor(*(_text(fields[name]) for name in names))
        if any(_parts(waiting)):
            found[waiting] = None
    return list(found.items())


def service_graph(analysis: Analysis) -> nx.MultiDiGraph[str]:
    """Services and destinations as nodes (attribute `type`), typed edges (key and `kind`).

    A synchronous edge runs service -> service; a message runs service -> destination -> service
    (`role` publish, then deliver). Edge attributes: kind, role, calls, instances, errors, and the
    waits where they were measured. A destination that is named like a service gets
    " (destination)" behind its name. Messages that nobody took, and consumers whose producer is
    unknown, are there too.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for row in analysis.services.sort("name").iter_rows(named=True):
        name = row["name"]
        graph.add_node(name, type="service", **_present(row), silent=row["spans"] == 0)
    messages = analysis.service_edges.filter(pl.col("kind") != "sync")
    for row in analysis.service_edges.filter(pl.col("kind") == "sync").iter_rows(named=True):
        row.pop("destination")
        _connect(graph, row.pop("source"), row.pop("target"), row | {"role": "call"})
    topics = _Topics(graph, _services_of(analysis))
    for row in _published(analysis, messages).iter_rows(named=True):
        _connect(graph, row.pop("service"), topics.node(row.pop("destination")), row)
    for row in _delivered(analysis, messages).iter_rows(named=True):
        _connect(graph, topics.node(row.pop("destination")), row.pop("service"), row)
    return graph


class _Topics:
    """Node keys of destinations, apart from those of services with the same name."""

    def __init__(self, graph: nx.MultiDiGraph[str], services: set[str]) -> None:
        self._graph = graph
        self._services = services

    def node(self, destination: str) -> str:
        key = destination
        while key in self._services:
            key += " (destination)"
        self._graph.add_node(key, type="destination", name=destination)
        return key


def _services_of(analysis: Analysis) -> set[str]:
    edges = analysis.service_edges
    steps = analysis.steps["service"].unique().cast(pl.String).drop_nulls()
    named = pl.concat([analysis.services["name"], edges["source"], edges["target"], steps])
    return set(named.unique().to_list())


def _connect(graph: nx.MultiDiGraph[str], source: str, target: str, values: dict[str, Any]) -> None:
    for name in (source, target):
        if name not in graph:  # called, but not in the table of services
            graph.add_node(name, type="service", name=name, silent=True)
    key = values["kind"] if values["role"] != "publish" else "publish"
    graph.add_edge(source, target, key=key, **_present(values))


_SENT_COLUMNS = ("service", "destination", "kind", "calls", "instances", "errors")


def _published(analysis: Analysis, messages: pl.DataFrame) -> pl.DataFrame:
    """One row a service and destination it sends to, with the number of sends."""
    pair = ["service", "destination"]
    known = (
        messages.rename({"source": "service"})
        .sort("calls", "kind", descending=[True, False])
        .group_by(pair, maintain_order=True)
        # Every subscriber has its own edge: the largest one is the number of messages.
        .agg(pl.col("kind").first(), pl.col("calls", "instances", "errors").max())
    )
    sends = _step_counts(analysis, ["send"])
    joined = sends.join(known.select(*pair, "kind"), on=pair, how="left").with_columns(
        pl.col("kind").fill_null("event")
    )
    rest = known.join(sends, on=pair, how="anti")
    both = pl.concat([joined.select(_SENT_COLUMNS), rest.select(_SENT_COLUMNS)])
    return both.sort(pair).with_columns(pl.lit("publish").alias("role"))


def _delivered(analysis: Analysis, messages: pl.DataFrame) -> pl.DataFrame:
    """One row a destination, consuming service and kind, with the number of deliveries."""
    pair = ["destination", "service"]
    known = (
        messages.rename({"target": "service"})
        .group_by([*pair, "kind"])
        .agg(
            pl.col("calls").sum(),
            pl.col("instances").max(),
            pl.col("errors").sum(),
            pl.col("p95_wait_ns").max(),
        )
    )
    taken = pl.concat(
        [_step_counts(analysis, ["process"]), _step_counts(analysis, ["receive"])]
    ).unique(pair, keep="first", maintain_order=True)
    alone = taken.join(known, on=pair, how="anti").with_columns(
        pl.lit("event").alias("kind"), pl.lit(None, dtype=pl.Int64).alias("p95_wait_ns")
    )
    both = pl.concat([known, alone.select(known.columns)])
    return both.sort([*pair, "kind"]).with_columns(pl.lit("deliver").alias("role"))


def _step_counts(analysis: Analysis, kinds: list[str]) -> pl.DataFrame:
    steps = analysis.steps.filter(
        pl.col("kind").cast(pl.String).is_in(kinds) & pl.col("destination").is_not_null()
    )
    return (
        steps.group_by("service", "destination")
        .agg(
            pl.len().cast(pl.UInt32).alias("calls"),
            pl.col("instance").n_unique().cast(pl.UInt32).alias("instances"),
            pl.col("error").sum().cast(pl.UInt32).alias("errors"),
        )
        .with_columns(pl.col("service", "destination").cast(pl.String))
        .sort("service", "destination")
    )


def _add_edges(graph: nx.DiGraph[int], edges: pl.DataFrame) -> None:
    ordered = edges.sort("source", "target", "confidence")  # the surest of several comes last
    for row in ordered.iter_rows(named=True):
        graph.add_edge(
            int(row["source"]),
            int(row["target"]),
            kind=row["kind"],
            tier=row["tier"],
            confidence=round(float(row["confidence"]), 4),
            wait_ns=row["wait_ns"],
            expected=False,
        )


def _add_expected(graph: nx.DiGraph[int], instance: Instance) -> None:
    for number, (waiting, finding) in enumerate(expected_steps(instance), start=1):
        anchor = _anchor(graph, finding)
        values = {
            "service": waiting.service,
            "operation": waiting.step or f"process {waiting.destination or 'next step'}",
            "destination": waiting.destination,
            "kind": "expected",
            "state": "expected",
            "deadline_ns": finding.deadline_ns if finding else instance.fields["deadline_ns"],
        }
        graph.add_node(-number, **_present(values), expected=True, error=False)
        if anchor is not None:
            sure = finding.confidence if finding else 0.0
            graph.add_edge(
                anchor, -number, kind="expected", tier="", confidence=round(sure, 4), expected=True
            )


def _anchor(graph: nx.DiGraph[int], finding: Finding | None) -> int | None:
    """The step after which the absent one was due: by evidence, by name, else the last one."""
    seen = [(key, data) for key, data in graph.nodes(data=True) if key >= 0]
    if not seen:
        return None
    evidence = {(e.trace_id, e.span_id): e.role for e in finding.evidence} if finding else {}
    shown = [
        (_ANCHOR_ROLES.index(role), key)
        for key, data in seen
        if (role := evidence.get((data["trace_id"], data["span_id"]))) in _ANCHOR_ROLES
    ]
    if shown:
        best = min(shown)[0]
        return max(key for rank, key in shown if rank == best)
    named = [key for key, data in seen if finding and data.get("operation") == finding.step]
    return max(named) if named else max(seen, key=lambda item: (item[1]["end_ns"], item[0]))[0]


def _summary(instance: Instance) -> dict[str, Any]:
    fields = instance.fields
    return {name: fields[name] for name in ("id", "workflow", "state", "cause")}


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _parts(waiting: WaitingFor) -> tuple[str | None, ...]:
    return waiting.service, waiting.step, waiting.destination


def _text(value: object) -> str | None:
    return None if value is None else str(value)
