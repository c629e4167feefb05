"""Pairs of simulated runs: the same system again, and the system with one deliberate change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.comparison import Snapshot, snapshot_of
from analyzer.comparison.report_file import decode
from analyzer.reporters.context import Context
from analyzer.reporters.json import render
from collectors.simulate.flows import Emit, Flow, Step
from collectors.simulate.systems import ELECTRONICS, SYSTEMS
from collectors.simulate.work import Work


@cache
def analysed(uri: str) -> Analysis:
    """Each scenario once."""
    return analyze(uri)


def as_recording(uri: str) -> Snapshot:
    return snapshot_of(analysed(uri), uri)


def as_report(uri: str) -> Snapshot:
    return snapshot_of(decode(render(analysed(uri), Context()).encode()), uri)


def changed(step: tuple[str, str], **fields: Any) -> Flow:
    """The electronics shop with other fields in the step of (service, event)."""
    steps = tuple(
        replace(one, **fields) if (one.service, one.on) == step else one
        for one in ELECTRONICS.steps
    )
    return replace(ELECTRONICS, steps=steps)


def emits(step: tuple[str, str]) -> tuple[Emit, ...]:
    (found,) = [one.emits for one in ELECTRONICS.steps if (one.service, one.on) == step]
    return found


def without(*steps: tuple[str, str]) -> Flow:
    kept = tuple(one for one in ELECTRONICS.steps if (one.service, one.on) not in steps)
    return replace(ELECTRONICS, steps=kept)


def grown(*steps: Step) -> Flow:
    return replace(ELECTRONICS, steps=(*ELECTRONICS.steps, *steps))


_CHECK = ("payments", "order.placed")
_SHIP = ("shipping", "stock.reserved")
_CALLS = next(one.calls for one in ELECTRONICS.steps if (one.service, one.on) == _CHECK)

MUTANTS: dict[str, Flow] = {
    "new-consumer": grown(Step("loyalty", "order.fulfilled", db="points")),
    "removed-consumer": without(("notification", "order.fulfilled")),
    "new-step": changed(_SHIP, emits=(*emits(_SHIP), Emit("label.printed"))),
    "doubled-calls": changed(_CHECK, calls=_CALLS * 2),
    "new-cycle": grown(Step("payments", "order.confirmed", db="payments")),
    "new-destination": changed(
        ("notification", "order.fulfilled"), emits=(Emit("order.done"),)
    ),
}  # fmt: skip


@contextmanager
def registered(flow: Flow, name: str = "mutant") -> Iterator[str]:
    """The flow as a system of its own, for as long as it is needed."""
    SYSTEMS[name] = flow
    try:
        yield name
    finally:
        del SYSTEMS[name]


@contextmanager
def slowed(service: str, factor: float) -> Iterator[None]:
    """The handlers of one service take `factor` times as long."""
    plain = Work.work

    def work(self: Work, step: Step, act: Any, now: int, slow: float = 1, *rest: bool) -> None:
        plain(self, step, act, now, slow * (factor if step.service == service else 1), *rest)

    Work.work = work  # type: ignore[method-assign]
    try:
        yield
    finally:
        Work.work = plain  # type: ignore[method-assign]
