"""One instance and the things that happened in it, before they are turned into spans."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Message:
    """One message; `act` is the send."""

    event: str
    destination: str
    act: Act
    sent_ns: int
    number: int  # 0-based within the instance
    partition: int = 0
    offset: int = 0
    message_id: str = ""


@dataclass(slots=True)
class Act:
    """One thing a service did; it becomes one span."""

    role: str  # server, client, db, send, process, job, or dead: never exported
    service: str
    label: str  # route, statement, destination
    start: int
    parent: Act | None = None
    end: int = 0
    message: Message | None = None  # sent or consumed
    error: str = ""
    peer: str = ""
    hidden: bool = False
    attempt: int = 1
    again: bool = False  # the message had been delivered before
    dead_pod: bool = False  # the process died: nothing else comes from it
    broken: bool = False  # the context of the message was lost on the way
    foreign: int = -1  # writes the key of this instance instead
    cause: Act | None = None  # what a later trace goes on from
    trace: str = ""
    span: str = ""
    case: Case | None = None
    members: list[Act] = field(default_factory=list)  # of a receive: the deliveries it brought


@dataclass(slots=True)
class Spot:
    """A place in a workflow."""

    service: str = ""
    step: str = ""
    destination: str = ""


@dataclass(slots=True)
class Case:
    """One instance: what should happen to it, and what became of it."""

    index: int
    key: str
    start: int
    variant: str
    fault: str = ""
    place: int = -1  # number of the hop or send that the fault hits
    acts: list[Act] = field(default_factory=list)
    hit: str = ""  # the fault that did happen
    also: list[str] = field(default_factory=list)  # faults of the whole system that touched it
    since: int = 0
    mute: bool = False  # who was hit left no span at all
    struck: int = 0  # when it happened, for one who sees everything
    stuck_at: Spot = field(default_factory=Spot)
    waiting_for: Spot = field(default_factory=Spot)
    pauses: list[tuple[int, int, Spot]] = field(default_factory=list)
    hops: int = 0
    sends: int = 0
    # what was exported
    traces: dict[str, None] = field(default_factory=dict)
    boundary: list[str] = field(default_factory=list)  # ids of the spans at a service's boundary
    spans: int = 0
    cut: bool = False  # something of it was at work when the recording stopped
    first_ns: int = 0
    last_ns: int = 0
