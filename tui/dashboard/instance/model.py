"""The document of an instance, put in order once: rows, how each was joined, the time axis."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from analyzer.escape import escape
from analyzer.reporters.waterfall import Extent, measure

Kind = Literal["step", "expected", "not-reached", "missing"]
NEVER = 2**63
SURE = "E1"  # the tier of a parent span: a solid line


@dataclass(frozen=True, slots=True)
class Join:
    """How a row came of another one: `source` is the other row's number."""

    source: int
    tier: str
    confidence: float
    kind: str
    wait_ns: int
    skew_ns: int = 0

    @property
    def solid(self) -> bool:
        """Parent and child; all else is dotted."""
        return self.tier == SURE

    @property
    def rank(self) -> tuple[bool, float, int]:
        """The best join of several is the highest: the surest, then the last to arrive."""
        return self.solid, self.confidence, self.source


@dataclass(slots=True)
class Row:
    """A step, an absent one, one that was not reached, or a parent that is missing."""

    key: str
    kind: Kind
    service: str
    operation: str
    data: Mapping[str, Any]
    start_ns: int | None = None
    end_ns: int | None = None
    error: bool = False
    critical: bool = False
    joins: list[Join] = field(default_factory=list)  # best first
    after: list[int] = field(default_factory=list)  # rows that came of it, in order

    @property
    def join(self) -> Join | None:
        """How it was joined; None of a beginning."""
        return self.joins[0] if self.joins else None


@dataclass(frozen=True)
class Model:
    """Rows in causal order: what a row came of stands above it."""

    document: Mapping[str, Any]
    rows: Sequence[Row]
    extent: Extent | None
    number: Mapping[str, int]  # key -> row
    steps: int

    @property
    def instance(self) -> Mapping[str, Any]:
        """The instance's own fields."""
        found: Mapping[str, Any] = self.document["instance"]
        return found

    @property
    def start_ns(self) -> int:
        """Zero of all times that are shown."""
        return self.extent.start_ns if self.extent else int(self.document["as_of_ns"])

    def of_step(self, step: int) -> Row | None:
        """The row of a step's id."""
        number = self.number.get(f"s{step}")
        return None if number is None else self.rows[number]

    @cached_property
    def services(self) -> list[str]:
        """In order of appearance."""
        return list(dict.fromkeys(row.service for row in self.rows if row.kind != "missing"))


def model_of(document: Mapping[str, Any]) -> Model:
    """Put a document in order. Seconds for 1e5 steps: a worker's task."""
    made, pairs = _nodes(document)
    order = _causal(made, pairs)
    number = {key: at for at, key in enumerate(order)}
    rows = [made[key] for key in order]
    for source, target, edge in pairs:
        at, to = number[source], number[target]
        if at < to:  # an edge against the order closes a cycle
            rows[to].joins.append(_join(at, edge))
            rows[at].after.append(to)
    for row in rows:
        row.joins.sort(key=lambda join: join.rank, reverse=True)
        row.after.sort()
    busy = [(r.start_ns, r.end_ns) for r in rows if r.start_ns is not None and r.end_ns is not None]
    until = int(document["as_of_ns"]) if document["expected"] else None
    return Model(document, rows, measure(busy, until), number, len(document["steps"]))


Pair = tuple[str, str, Mapping[str, Any]]


def _nodes(document: Mapping[str, Any]) -> tuple[dict[str, Row], list[Pair]]:
    path = {part["step"] for part in document["critical_path"]}
    made: dict[str, Row] = {}
    pairs: list[Pair] = []
    for step in document["steps"]:
        key = f"s{step['id']}"
        if step["missing_parent"]:
            made["m" + key] = Row("m" + key, "missing", "?", step["missing_parent"], step)
            pairs.append(("m" + key, key, {"tier": SURE, "confidence": 1.0, "kind": "missing"}))
        made[key] = Row(
            key,
            "step",
            step["service"] or "?",
            step["step"] or "?",
            step,
            step["start_ns"],
            step["end_ns"],
            bool(step["error"]),
            step["id"] in path,
        )
    for edge in document["edges"]:
        source, target = f"s{edge['source']}", f"s{edge['target']}"
        if source in made and target in made and source != target:
            pairs.append((source, target, edge))
    _add_absent(document, made, pairs)
    return made, pairs


def _add_absent(document: Mapping[str, Any], made: dict[str, Row], pairs: list[Pair]) -> None:
    for absent in document["expected"]:
        key = f"e{-absent['id']}"
        name = absent["step"] or f"process {absent['destination'] or 'next step'}"
        made[key] = Row(key, "expected", absent["service"] or "?", name, absent)
        if f"s{absent['after']}" in made:
            edge = {"tier": "", "confidence": absent["confidence"], "kind": "expected"}
            pairs.append((f"s{absent['after']}", key, edge))
        held_up = {"tier": "", "confidence": 0.0, "kind": "expected"}
        for at, later in enumerate(absent["not_reached"]):
            own = f"{key}.{at}"
            source = key if later["after"] is None else f"{key}.{later['after']}"
            made[own] = Row(
                own, "not-reached", later["service"] or "?", later["step"] or "?", later
            )
            pairs.append((source, own, held_up))


def _causal(made: Mapping[str, Row], pairs: Sequence[Pair]) -> list[str]:
    """Kahn's algorithm, the earliest first; where there is a cycle simply by time."""
    waiting = dict.fromkeys(made, 0)
    after: dict[str, list[str]] = {}
    for source, target, _ in pairs:
        waiting[target] += 1
        after.setdefault(source, []).append(target)
    times = {key: _time(made, key) for key in made}
    ready = [(times[key], key) for key, count in waiting.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        _, key = heapq.heappop(ready)
        order.append(key)
        for target in after.get(key, ()):
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, (times[target], target))
    return order if len(order) == len(made) else sorted(made, key=lambda key: (times[key], key))


def _time(made: Mapping[str, Row], key: str) -> tuple[int, int, int]:
    """Start, a missing parent right before its child, absent steps at the end."""
    row = made[key]
    if row.kind == "missing":
        return int(row.data["start_ns"]), -1, int(row.data["id"])
    if row.kind != "step":
        return NEVER, int(key[1:].partition(".")[0]), int(key.partition(".")[2] or -1)
    return int(row.start_ns or 0), 0, int(row.data["id"])


def _join(source: int, edge: Mapping[str, Any]) -> Join:
    return Join(
        source,
        escape(edge["tier"] or ""),
        float(edge["confidence"] or 0.0),
        escape(edge["kind"] or ""),
        round((edge.get("wait_s") or 0.0) * 1e9),
        round((edge.get("skew_s") or 0.0) * 1e9),
    )
