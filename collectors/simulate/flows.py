"""The words in which a business workflow is written down: steps, calls, events and pauses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

SECOND = 1_000_000_000
MS = SECOND // 1000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Emit:
    """An event that a step publishes; `only` names the variants in which it does."""

    event: str
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A synchronous HTTP call. An external callee emits no spans of its own."""

    service: str
    route: str
    db: str = ""
    calls: tuple[Call, ...] = ()
    external: bool = False
    only: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()  # the variants in which the callee answers with an error


@dataclass(frozen=True, slots=True)
class Pause:
    """A long wait inside a step; what goes on after it stands in a new trace."""

    route: str  # the request or job that ends it
    median_ns: int
    sigma: float  # of the log-normal
    emits: tuple[Emit, ...]
    only: tuple[str, ...] = ()
    human: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """What one service does with one event; `on` is empty for the start of the workflow."""

    service: str
    on: str
    emits: tuple[Emit, ...] = ()
    db: str = ""
    calls: tuple[Call, ...] = ()
    pause: Pause | None = None


@dataclass(frozen=True)
class Flow:
    """A workflow. `variants` maps each healthy outcome to its share."""

    name: str
    keys: tuple[str, ...]  # attribute names of the business key; the first one is the primary
    prefix: str  # of the key's values
    route: str
    start: Step
    steps: tuple[Step, ...] = ()
    variants: Mapping[str, float] = field(default_factory=lambda: {"ok": 1.0})
    extra: tuple[str, ...] = ()  # variants that only a fault brings about
    undo: tuple[tuple[str, str], ...] = ()  # (service, event) of each compensating step
    loops: float = 0.0  # chance of one more round, where the flow has a loop
    destinations: Mapping[str, str] = field(default_factory=dict)  # event -> destination

    @cached_property
    def subscribers(self) -> dict[str, tuple[Step, ...]]:
        """The steps that react to each event; every one is a consumer group of its own."""
        found: dict[str, tuple[Step, ...]] = {}
        for step in self.steps:
            found[step.on] = (*found.get(step.on, ()), step)
        return found

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The instrumented services, in the order of their first appearance."""
        found: dict[str, None] = {}
        for step in (self.start, *self.steps):
            found[step.service] = None
            for call in step.calls:
                _callees(call, found)
        return tuple(found)

    @cached_property
    def unread(self) -> tuple[str, ...]:
        """The destinations that nobody reads, by design: events for whoever may want them."""
        steps = (self.start, *self.steps)
        sent = [e.event for s in steps for e in (*s.emits, *(s.pause.emits if s.pause else ()))]
        return tuple(sorted({self.destination(e) for e in sent if e not in self.subscribers}))

    @property
    def synchronous(self) -> bool:
        """Whether no message is involved at all."""
        return not self.steps

    def destination(self, event: str) -> str:
        """Where the event is sent."""
        return self.destinations.get(event, event)


def _callees(call: Call, found: dict[str, None]) -> None:
    if not call.external:
        found[call.service] = None
    for inner in call.calls:
        _callees(inner, found)


def orchestrate(flow: Flow) -> Flow:
    """The same business run by a coordinator: events become its replies, reactions its commands.

    Every event goes to one reply queue; the coordinator answers with one command for each step
    that reacted to the event.
    """
    if flow.synchronous:
        return flow
    boss = f"{flow.name}-orchestrator"
    steps: list[Step] = []
    undo: list[tuple[str, str]] = []
    destinations: dict[str, str] = {}
    for event, reactions in flow.subscribers.items():
        destinations[event] = f"{flow.name}.replies"
        commands = [f"{event}>{step.service}" for step in reactions]
        emits = tuple(Emit(command) for command in commands)
        steps.append(Step(boss, event, emits, db=flow.name))
        for command, step in zip(commands, reactions, strict=True):
            destinations[command] = f"{step.service}.commands"
            steps.append(replace(step, on=command))
            undo += [(step.service, command)] * ((step.service, event) in flow.undo)
    return replace(flow, steps=tuple(steps), undo=tuple(undo), destinations=destinations)
