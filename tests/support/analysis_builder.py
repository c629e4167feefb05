"""Hand-made analyses: a few cases with steps, put into the frames that `analyze` would give."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import polars as pl

from analyzer.analysis import (
    EDGES,
    INSTANCES,
    SERVICE_EDGES,
    SERVICES,
    STEPS,
    Analysis,
    DataNote,
    StepProfile,
    Workflow,
)
from analyzer.finding import Cause, Evidence, Finding, Hotspot, Severity, Skipped, WaitingFor
from collectors import schema
from collectors.recording import Intake, Problem, Recording

T0 = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
MS = 1_000_000
S = 1_000_000_000
NOWHERE = WaitingFor()


@dataclass(frozen=True)
class Step:
    """One step of a case; `after` names earlier steps of the same case by position."""

    service: str
    operation: str
    kind: str = "request"
    start: int = 0  # ns after T0
    end: int = 0
    destination: str | None = None
    group: str | None = None
    error: bool = False
    after: tuple[tuple[int, str, str, float], ...] = ()  # (position, kind, tier, confidence)
    lost_parent: bool = False


@dataclass(frozen=True)
class Case:
    """One workflow instance."""

    id: str
    workflow: str
    state: str
    steps: tuple[Step, ...]
    cause: str | None = None
    waiting: WaitingFor = NOWHERE
    since: int | None = None
    deadline: int | None = None
    keys: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()


@dataclass
class _Rows:
    spans: list[dict[str, object]] = field(default_factory=list)
    steps: list[dict[str, object]] = field(default_factory=list)
    edges: list[dict[str, object]] = field(default_factory=list)
    instances: list[dict[str, object]] = field(default_factory=list)


def _frame(rows: list[dict[str, object]], shape: dict[str, pl.DataType]) -> pl.DataFrame:
    loose = {name: t if t != schema.WORD else pl.String() for name, t in shape.items()}
    return schema.complete(pl.DataFrame(rows, schema=loose), shape)


def _trace(number: int) -> str:
    return f"{number:032x}"


def _add(rows: _Rows, case: Case, number: int) -> None:
    first = len(rows.steps)
    for position, step in enumerate(case.steps):
        parents = [p for p, _, tier, _ in step.after if tier == "E1"]
        rows.spans.append(
            {
                "trace_hi": 0,
                "trace_lo": number + 1,
                "span_id": first + position + 1,
                "parent_id": 999_999
                if step.lost_parent
                else first + parents[0] + 1
                if parents
                else 0,
                "start_ns": T0 + step.start,
                "end_ns": T0 + step.end,
                "name": step.operation,
                "kind": 1,
                "status": 2 if step.error else 0,
                "error_message": step.operation if step.error else None,
                "quality": 0,
                "service": step.service,
                "destination": step.destination,
            }
        )
        rows.steps.append(
            {
                "instance": number,
                "span": first + position,
                "service": step.service,
                "operation": step.operation,
                "kind": step.kind,
                "destination": step.destination,
                "group": step.group,
                "start_ns": T0 + step.start,
                "end_ns": T0 + step.end,
                "error": step.error,
                "shared": False,
            }
        )
        for before, kind, tier, confidence in step.after:
            rows.edges.append(
                {
                    "instance": number,
                    "source": first + before,
                    "target": first + position,
                    "kind": kind,
                    "tier": tier,
                    "confidence": confidence,
                    "wait_ns": max(step.start - case.steps[before].end, 0),
                    "skew_ns": 0,
                }
            )
    rows.instances.append(_instance(case, number))


def _instance(case: Case, number: int) -> dict[str, object]:
    return {
        "id": case.id,
        "workflow": case.workflow,
        "state": case.state,
        "cause": case.cause,
        "waiting_service": case.waiting.service,
        "waiting_step": case.waiting.step,
        "waiting_destination": case.waiting.destination,
        "since_ns": None if case.since is None else T0 + case.since,
        "deadline_ns": None if case.deadline is None else T0 + case.deadline,
        "start_ns": T0 + min(s.start for s in case.steps),
        "end_ns": T0 + max(s.end for s in case.steps),
        "keys": sorted(case.keys),
        "trace_ids": list(case.traces or (_trace(number + 1),)),
        "services": sorted({s.service for s in case.steps}),
        "steps": len(case.steps),
        "spans": len(case.steps),
        "errors": sum(s.error for s in case.steps),
        "variant": f"{len(case.steps):08x}",
    }


def _service_edges(rows: _Rows) -> pl.DataFrame:
    found: dict[tuple[str, str, str, str], list[dict[str, object]]] = {}
    for edge in rows.edges:
        source, target = rows.steps[int(str(edge["source"]))], rows.steps[int(str(edge["target"]))]
        if source["service"] == target["service"]:
            continue
        destination = "" if edge["kind"] == "sync" else str(source["destination"] or "")
        key = (str(source["service"]), str(target["service"]), str(edge["kind"]), destination)
        found.setdefault(key, []).append(edge | {"failed": target["error"]})
    table = [
        {
            "source": key[0],
            "target": key[1],
            "kind": key[2],
            "destination": key[3],
            "instances": len({e["instance"] for e in edges}),
            "calls": len(edges),
            "errors": sum(bool(e["failed"]) for e in edges),
            "p50_wait_ns": 5 * MS,
            "p95_wait_ns": 9 * MS,
            "first_ns": T0,
            "last_ns": T0 + S,
        }
        for key, edges in sorted(found.items())
    ]
    return _frame(table, SERVICE_EDGES)


def _services(rows: _Rows) -> pl.DataFrame:
    names = sorted({str(s["service"]) for s in rows.steps})
    table = []
    for name in names:
        own = [s for s in rows.steps if s["service"] == name]
        table.append(
            {
                "name": name,
                "spans": len(own),
                "instances": len({s["instance"] for s in own}),
                "errors": sum(bool(s["error"]) for s in own),
                "ca": 1,
                "ce": 1,
                "instability": 0.5,
                "last_ns": T0 + S,
            }
        )
    return _frame(table, SERVICES)


def _workflows(cases: list[Case]) -> tuple[Workflow, ...]:
    out = []
    for name in sorted({c.workflow for c in cases}):
        own = [c for c in cases if c.workflow == name]
        states = sorted({c.state for c in own})
        profile = StepProfile(
            own[0].steps[0].service, own[0].steps[0].operation, "request", len(own), len(own), 0,
            1.0, 0, 2 * MS,
        )  # fmt: skip
        out.append(
            Workflow(
                name,
                len(own),
                {s: sum(c.state == s for c in own) for s in states},
                1,
                "choreographed",
                (profile,),
                1500 * MS,
                2 * S,
                tuple(range(24)),
            )
        )
    return tuple(out)


def build(
    cases: list[Case],
    *,
    findings: tuple[Finding, ...] = (),
    hotspots: tuple[Hotspot, ...] = (),
    data_notes: tuple[DataNote, ...] = (),
    key_suggestions: tuple[DataNote, ...] = (),
    skipped: tuple[Skipped, ...] = (),
    intake: Intake | None = None,
    as_of: int = 3600 * S,
) -> Analysis:
    """An analysis of these cases, `as_of` nanoseconds after T0."""
    rows = _Rows()
    ordered = sorted(cases, key=lambda c: c.id.encode("utf-8"))
    for number, case in enumerate(ordered):
        _add(rows, case, number)
    recording = Recording(
        _frame(rows.spans, schema.SPANS),
        schema.empty(schema.LINKS),
        schema.empty(schema.EVENTS),
        schema.empty(schema.ATTRIBUTES),
        schema.empty(schema.LINK_ATTRIBUTES),
        intake or Intake(sources=("orders.jsonl",), formats=("otlp-json",), spans=len(rows.spans)),
    )
    return Analysis(
        recording=recording,
        as_of_ns=T0 + as_of,
        instances=_frame(rows.instances, INSTANCES),
        steps=_frame(rows.steps, STEPS),
        edges=_frame(rows.edges, EDGES),
        services=_services(rows),
        service_edges=_service_edges(rows),
        workflows=_workflows(ordered),
        findings=findings,
        hotspots=hotspots,
        data_notes=data_notes,
        key_suggestions=key_suggestions,
        skipped=skipped,
    )


def order(id: str, state: str = "complete", name: str = "order", **changes: object) -> Case:
    """An order: placed, then three subscribers; `stuck` and `late` lack the payment."""
    link = (0, "event", "E2", 0.99)
    steps = [
        Step("orders", "POST /orders", end=40 * MS),
        Step("orders", "publish orders.placed", "send", 5 * MS, 10 * MS, "orders.placed",
             after=((0, "sync", "E1", 1.0),)),
        Step("stock", "process orders.placed", "process", 40 * MS, 300 * MS, "orders.placed",
             "stock", after=((1, *link[1:]),)),
        Step("fraud", "process orders.placed", "process", 45 * MS, 900 * MS, "orders.placed",
             "fraud", after=((1, *link[1:]),), error=state == "failed"),
    ]  # fmt: skip
    if state == "complete":
        steps.append(
            Step("payments", "capture payment", "process", 950 * MS, 1100 * MS, "payments.due",
                 after=((2, "event", "E7", 0.9), (3, "event", "E4", 0.95)))
        )  # fmt: skip
    values: dict[str, object] = {"keys": (f"order.id={id}",)}
    if state in ("stuck", "late"):
        values |= {
            "cause": "consumer-dark",
            "waiting": WaitingFor("payments", "capture payment", "payments.due"),
            "since": 900 * MS,
            "deadline": 60 * S,
        }
    return Case(id, name, state, tuple(steps), **(values | changes))  # type: ignore[arg-type]


def stuck_finding(id: str, **changes: object) -> Finding:
    """The finding that goes with `order(id, "stuck")`."""
    values: dict[str, object] = {
        "kind": "stuck",
        "severity": Severity.ERROR,
        "confidence": 0.93,
        "message": f"{id}: payments has not consumed payments.due",
        "workflow": "order",
        "instance": id,
        "trace_ids": (_trace(1),),
        "service": "payments",
        "step": "process orders.placed",
        "waiting_for": WaitingFor("payments", "capture payment", "payments.due"),
        "since_ns": T0 + 900 * MS,
        "deadline_ns": T0 + 60 * S,
        "overdue_s": 3540.0,
        "causes": (
            Cause("consumer-dark", 0.93, ("payments exported nothing since 22:13:21",), ()),
            Cause("lost", 0.05, (), ("no later message was processed",)),
        ),
        "evidence": (Evidence(_trace(1), "0000000000000002", "sent"),),
        "needs": ("spans of payments after 22:13:21",),
    }
    return Finding(**(values | changes))  # type: ignore[arg-type]


def shop() -> Analysis:
    """Twelve orders: nine complete, two stuck, one failed; with everything a report can hold."""
    cases = [order(f"ord-{n:04}") for n in range(9)]
    cases += [
        order("ord-stuck-1", "stuck"),
        order("ord-stuck-2", "stuck"),
        order("ord-x", "failed"),
    ]
    failed = Finding(
        "failed", Severity.ERROR, 0.99, "process orders.placed failed in fraud: timeout", "order",
        "ord-x", service="fraud", step="process orders.placed", since_ns=T0 + 45 * MS,
        causes=(Cause("failed", 0.99, ("status error",), ()),),
    )  # fmt: skip
    cycle = Finding("cycle", Severity.NOTE, 0.8, "orders -> stock -> orders", service="orders")
    return build(
        cases,
        findings=tuple(
            sorted(
                (stuck_finding("ord-stuck-1"), stuck_finding("ord-stuck-2"), failed, cycle),
                key=lambda f: f.sort_key,
            )
        ),
        hotspots=(Hotspot("hub", ("orders",), 0.71, {"fan_in": 0.4, "fan_out": 0.31}, "orders"),),
        data_notes=(
            DataNote("missing-parents", "1 span names a parent that is not there", 1, 0.02),
        ),
        key_suggestions=(DataNote("key", "order.id joins 12 of 12 instances", 12, 1.0),),
        skipped=(Skipped("late", "insufficient history: 2 of 30 samples"),),
    )


@cache  # nobody changes it, and a hundred tests look at each
def hostile_shop(name: str) -> Analysis:
    """One stuck, one complete case in which every foreign string is `name`."""
    key = f"{name}={name}"
    steps = (
        Step(name, name, "request", 0, 40 * MS, lost_parent=True),
        Step(name + "1", name, "send", 5 * MS, 10 * MS, name, name,
             after=((0, "sync", "E1", 1.0),)),
        Step(name + "2", name, "process", 40 * MS, 60 * MS, name, name, True,
             after=((1, "event", "E2", 0.99),)),
    )  # fmt: skip
    waiting = WaitingFor(name, name, name)
    cases = [
        Case(name + "a", name, "stuck", steps, name, waiting, 60 * MS, 100 * MS, (key,)),
        Case(name + "b", name, "complete", steps, None, WaitingFor(), None, None, (key,)),
    ]
    finding = Finding(
        "stuck", Severity.ERROR, 0.9, f"{name} waits: {name}", name, name + "a", (), 1,
        (_trace(1),), name, name, waiting, T0, T0 + S, 1.0,
        (Cause(name, 0.5, (name,), (name,)),), (Evidence(_trace(1), "01", name),), (name,),
    )  # fmt: skip
    note = DataNote(name, name, 1, 0.5, (name,))
    return build(
        cases,
        findings=(finding, Finding("cycle", Severity.NOTE, 0.5, name, service=name)),
        hotspots=(Hotspot(name, (name, name), 0.5, {name: 0.5}, name),),
        data_notes=(note,),
        key_suggestions=(note,),
        skipped=(Skipped(name, name),),
        intake=Intake(
            sources=(name,),
            spans=6,
            rejected={name or "x": 1},
            problems=(Problem(name, 3, name, name),),
            skipped={name or "x": 2},
            warnings=(name,),
        ),
    )
