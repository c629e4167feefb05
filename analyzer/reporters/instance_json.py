"""One instance with its steps, edges and findings as JSON."""

from __future__ import annotations

from typing import Any

import networkx as nx
import polars as pl

from analyzer.analysis import Instance
from analyzer.critical_path import Link, critical_path
from analyzer.escape import json_text
from analyzer.finding import State
from analyzer.graphs import expected_steps, instance_graph, steps_with_ids
from analyzer.learned import followers, usual_steps, wait_between
from analyzer.reporters import instance_detail
from analyzer.reporters.instances import fields
from analyzer.reporters.json import SCHEMA_VERSION, finding_fields, number, seconds, waiting_for
from analyzer.reporters.lanes import missing_parents, own_deadline
from analyzer.reporters.units import rfc3339

_OPEN = (State.STUCK, State.LATE, State.WAITING, State.RUNNING, State.COMPENSATING)


def render(instance: Instance) -> str:
    """One JSON document: `instance` as in `instances`, then what it is made of."""
    return json_text(document(instance), indent=2) + "\n"


def document(instance: Instance) -> dict[str, Any]:
    """The same as plain values, as `choreoscope schema instance` describes them.

    Times are RFC 3339 in UTC and, where a name ends in `_ns`, nanoseconds since the Unix epoch.
    """
    analysis = instance.analysis
    events, events_out = instance_detail.events(instance)
    attributes, attributes_out = instance_detail.attributes(instance)
    return {
        "schema_version": SCHEMA_VERSION,
        "as_of": rfc3339(analysis.as_of_ns),
        "as_of_ns": analysis.as_of_ns,
        "instance": fields(dict(instance.fields)),
        "progress": {
            "steps": instance.steps.height,
            "usual_steps": usual_steps(analysis, str(instance.fields["workflow"])),
        },
        "activity": _activity(instance),
        "steps": _steps(instance, attributes),
        "edges": _edges(instance),
        "expected": _expected(instance),
        "critical_path": _critical_path(instance),
        "events": events,
        "omitted": {"attributes": attributes_out, "events": events_out},
        "findings": [
            finding_fields(f) for f in sorted(instance.findings, key=lambda f: f.sort_key)
        ],
    }


def _steps(instance: Instance, attributes: dict[int, dict[str, str]]) -> list[dict[str, Any]]:
    missing = missing_parents(instance)
    errors = instance_detail.errors(instance)
    out = []
    for row in steps_with_ids(instance).iter_rows(named=True):
        start, end = row.pop("start_ns"), row.pop("end_ns")
        step = row.pop("step")
        kind, message = errors.get(step, (None, None))
        out.append(
            {
                "id": step,
                "service": row.pop("service"),
                "step": row.pop("operation"),
                **row,
                "start": rfc3339(start),
                "end": rfc3339(end),
                "missing_parent": missing.get(step),
                "start_ns": start,
                "end_ns": end,
                "error_type": kind,
                "error_message": message,
                "attributes": attributes.get(step, {}),
            }
        )
    return out


def _edges(instance: Instance) -> list[dict[str, Any]]:
    return [
        {
            "source": row["source"],
            "target": row["target"],
            "kind": row["kind"],
            "tier": row["tier"],
            "confidence": number(row["confidence"]),
            "wait_s": seconds(row["wait_ns"]),
            "skew_s": seconds(row["skew_ns"]),
        }
        for row in instance.edges.sort("source", "target", "tier").iter_rows(named=True)
    ]


def _activity(instance: Instance) -> dict[str, int]:
    """Time in which some step was at work, and the rest until its end (or until now)."""
    steps = instance.steps.select("start_ns", "end_ns").sort("start_ns")
    if steps.is_empty():
        return {"active_ns": 0, "waiting_ns": 0}
    first, latest = int(steps["start_ns"][0]), int(str(steps["end_ns"].max()))
    before = pl.col("end_ns").cum_max().shift(1).fill_null(first)
    fresh = pl.col("end_ns") - pl.max_horizontal("start_ns", before)
    active = int(steps.select(fresh.clip(lower_bound=0).sum()).item())
    until = latest
    if instance.fields["state"] in _OPEN:
        until = max(until, instance.analysis.as_of_ns)
    return {"active_ns": active, "waiting_ns": until - first - active}


def _expected(instance: Instance) -> list[dict[str, Any]]:
    """The absent steps: after which step they were due, how soon they come, what they hold up."""
    absent = expected_steps(instance)
    if not absent:
        return []
    graph = instance_graph(instance)
    return [
        waiting_for(waiting.service, waiting.step, waiting.destination)
        | _absent(instance, graph, -number)
        | {"finding": finding.fingerprint if finding else None}
        for number, (waiting, finding) in enumerate(absent, start=1)
    ]


def _absent(instance: Instance, graph: nx.DiGraph[int], node: int) -> dict[str, Any]:
    data, analysis = graph.nodes[node], instance.analysis
    before = next(iter(graph.predecessors(node)), None)
    after, there = _label(data), [_label(d) for key, d in graph.nodes(data=True) if key >= 0]
    wait = None if before is None else wait_between(analysis, _label(graph.nodes[before]), after)
    deadline = own_deadline(data, instance)
    overdue = None if deadline is None else max(analysis.as_of_ns - deadline, 0)
    return {
        "id": node,
        "after": before,
        "deadline": rfc3339(deadline),
        "deadline_ns": deadline,
        "overdue_s": seconds(overdue),
        "confidence": 0.0 if before is None else graph.edges[before, node]["confidence"],
        "p50_s": seconds(wait.p50_ns) if wait else None,
        "p99_s": seconds(wait.p99_ns) if wait else None,
        "seen": wait.seen if wait else 0,
        "not_reached": [
            {"service": service, "step": step, "after": place}
            for (service, step), place in followers(analysis, after, there)
        ],
    }


def _label(data: dict[str, Any]) -> tuple[str, str]:
    return data.get("service", ""), data.get("operation", "")


def _critical_path(instance: Instance) -> list[dict[str, Any]]:
    times = instance.steps.select("step", "start_ns", "end_ns")
    edges = instance.edges.select(
        "source", "target", pl.col("kind").cast(pl.String) == "sync", "confidence"
    )
    links = [Link(*row) for row in edges.sort("source", "target", "confidence").iter_rows()]
    path = critical_path({step: (start, end) for step, start, end in times.iter_rows()}, links)
    return [
        {
            "kind": part.kind,
            "step": part.step,
            "source": part.source,
            "start_ns": part.start_ns,
            "end_ns": part.end_ns,
        }
        for part in path
    ]
