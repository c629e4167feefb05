"""One instance of a workflow played through: what each service did, when, and what went wrong."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collectors.simulate.flows import HOUR, SECOND, Call, Emit, Flow, Pause, Step

if TYPE_CHECKING:
    from collectors.simulate.dice import Dice
    from collectors.simulate.world import World

MS = SECOND // 1000

# The bulk of a log-normal lies below exp(3 sigma) times its median.
WAIT_NS, WAIT_SIGMA = 20 * MS, 0.8
GAP_SIGMA = 0.4


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


class Play:
    """Plays one instance; calls are made at once, messages wait in a queue."""

    def __init__(self, world: World, flow: Flow, case: Case, dice: Dice) -> None:
        self.world = world
        self.flow = flow
        self.case = case
        self.dice = dice
        self.queue: deque[tuple[Message, Step]] = deque()
        self.again = bool(flow.loops) and dice.uniform() < flow.loops

    def run(self) -> None:
        """Fill `case.acts`."""
        flow, case = self.flow, self.case
        role = "job" if self.world.cron else "server"
        root = self.act(role, flow.start.service, flow.route, case.start)
        self.work(flow.start, root, case.start)
        while self.queue:
            self.deliver(*self.queue.popleft())

    def act(
        self, role: str, service: str, label: str, start: int, parent: Act | None = None
    ) -> Act:
        """Begin something; what it is a part of has begun before."""
        made = Act(role, service, label, start, parent, start, case=self.case)
        self.case.acts.append(made)
        return made

    def has(self, only: tuple[str, ...]) -> bool:
        """Whether something that happens in these variants happens now."""
        if not only or self.case.variant in only:
            return True
        return ("again" if self.again else "settled") in only

    # -- what a service does ------------------------------------------------------------------

    def work(self, step: Step, act: Act, now: int, slow: float = 1, mute: bool = False) -> None:
        """The body of a handler, from `now`; `mute` leaves out everything it should publish."""
        now += self.dice.spread(8 * MS * slow, 0.6)
        if step.db:
            now = self.query(step.db, act, now)
        for call in step.calls:
            if self.has(call.only):
                now, failed = self.call(call, act, now)
                if failed:
                    act.error = failed
                    break
        if not mute:
            now = self.publish(step.emits, act, now)
        act.end = now + self.dice.spread(2 * MS, 0.5)
        if step.pause is not None and not mute and self.has(step.pause.only):
            self.pause(step, step.pause, act)

    def query(self, table: str, act: Act, now: int) -> int:
        """A statement to the database; returns when the next thing can begin."""
        verb = ("INSERT", "UPDATE", "SELECT")[len(self.case.acts) % 3]
        query = self.act("db", act.service, f"{verb} {table}", now, act)
        query.end = now + self.dice.spread(3 * MS, 0.5)
        return query.end + MS // 4

    def publish(self, emits: tuple[Emit, ...], act: Act, now: int) -> int:
        """Send the events that belong to the variant."""
        looped = False
        for emit in emits:
            if not self.has(emit.only):
                continue
            now = self.send(emit.event, act, now)
            looped |= "again" in emit.only
        if looped:
            self.again = self.dice.uniform() < self.flow.loops
        return now

    def send(self, event: str, act: Act, now: int) -> int:
        """Send one event to all its groups."""
        number, self.case.sends = self.case.sends, self.case.sends + 1
        destination = self.flow.destination(event)
        made = self.act("send", act.service, destination, now, act)
        made.end = now + self.dice.spread(2 * MS, 0.4)
        made.message = Message(event, destination, made, made.end, number)
        readers = self.flow.subscribers.get(event, ())
        if self.case.fault == "send-failed" and self.case.place == number and readers:
            made.error = "broker not available"
            self.stop("send-failed", made, readers[0], made.end)
            return made.end
        self.queue.extend((made.message, step) for step in readers)
        return made.end + MS // 4

    def pause(self, step: Step, pause: Pause, act: Act) -> None:
        """Wait for a person or a job; what comes then stands in a trace of its own."""
        resume = act.end + self.dice.spread(pause.median_ns, pause.sigma)
        spot = Spot(step.service, pause.route)
        self.case.pauses.append((act.end, resume, spot))
        if self.world.dark(step.service, resume):
            self.case.also.append("consumer-dark")
            self.halt("consumer-dark", Spot(step.service, step.on), spot, resume)
            return
        later = self.act("server" if pause.human else "job", step.service, pause.route, resume)
        later.cause = act
        now = self.query(step.db, later, resume + MS) if step.db else resume + MS
        later.end = self.publish(pause.emits, later, now) + MS

    # -- calls --------------------------------------------------------------------------------

    def call(self, call: Call, act: Act, now: int) -> tuple[int, str]:
        """Returns the time after the call, and the error if the caller fails by it."""
        client = self.act("client", act.service, call.route, now, act)
        client.peer = call.service
        if call.external:
            client.end = now + self.dice.spread(40 * MS, 0.5)
            if self.has(call.fails) and call.fails:
                client.error = "502"
            return client.end, ""
        fault = self.arrive("") if self.flow.synchronous else ""
        if fault == "skip":
            self.case.acts.pop()
            spot = Spot(call.service, call.route)
            self.halt(fault, Spot(act.service, act.label), spot, now)
            return now, ""
        client.error = self.serve(call, client, now + MS // 2, fault)
        return client.end, client.error

    def serve(self, call: Call, client: Act, now: int, fault: str) -> str:
        """The callee's side of a call; returns the error that it answers with."""
        server = self.act("server", call.service, call.route, now, client)
        slow = 1.0
        if fault == "slow-fine":
            self.case.hit = fault
            slow = 10 + 20 * self.dice.uniform()
        now += self.dice.spread(6 * MS * slow, 0.6)
        if call.db:
            now = self.query(call.db, server, now)
        if fault in ("handler-error", "crash", "hang"):
            server.end = now
            client.end = now + (30 * SECOND if fault == "hang" else MS)
            self.fail_call(fault, server, client)
            return server.error
        for inner in call.calls:
            now, failed = self.call(inner, server, now)
            if failed:
                server.error = failed
                break
        server.end = now + self.dice.spread(MS, 0.4)
        client.end = server.end + MS // 2
        return server.error

    def fail_call(self, fault: str, server: Act, client: Act) -> None:
        """The callee fails, dies or hangs in the middle of a call."""
        spot = Spot(server.service, server.label)
        words = {"handler-error": "500", "crash": "connection reset", "hang": "timeout"}
        server.error = words[fault]
        server.hidden = fault != "handler-error"
        server.dead_pod = fault == "crash"
        self.mark_dead(server)
        self.halt(fault, Spot(client.service, client.label), spot, server.end)

    # -- messages -----------------------------------------------------------------------------

    def arrive(self, service: str) -> str:
        """Count one hop; the fault that hits it."""
        number, self.case.hops = self.case.hops, self.case.hops + 1
        return self.case.fault if number == self.case.place else ""

    def deliver(self, message: Message, step: Step) -> None:
        """One message to one group."""
        fault = self.arrive(step.service)
        now = message.sent_ns + self.wait(fault)
        if self.world.dark(step.service, now):
            self.case.also.append("consumer-dark")
            self.stop("consumer-dark", message.act, step, message.sent_ns)
            return
        moved = self.world.after_outage(step.service, now, self.dice)
        if moved != now:
            self.case.also.append("outage")
            now = moved
        if fault == "lost":
            self.stop(fault, message.act, step, message.sent_ns)
            return
        self.handle(message, step, now, fault)

    def wait(self, fault: str) -> int:
        """How long a message waits for its consumer."""
        gap = self.world.scenario.gap_ns
        usual = (gap, GAP_SIGMA) if gap else (WAIT_NS, WAIT_SIGMA)
        wait = self.dice.spread(*usual)
        if fault == "late":
            self.case.hit = fault
            wait = round(usual[0] * (30 + 60 * self.dice.uniform()))
        if fault == "human":
            self.case.hit = fault
            wait = self.dice.spread(6 * HOUR, 1.2)
        return wait

    def handle(self, message: Message, step: Step, now: int, fault: str) -> None:
        """What becomes of a message that was delivered."""
        if fault in _ATTEMPTS:
            low, high = _ATTEMPTS[fault]
            tries = low + int(self.dice.uniform() * (high - low + 1))
            now = self.fail(message, step, now, tries, fault)
            if fault in ("handler-error", "dead-letter"):
                return
            self.attempt(message, step, now, attempt=tries + 1)
        elif fault in ("crash", "hang"):
            self.die(message, step, now, fault)
        elif fault in ("skip", "no-compensation"):
            act = self.attempt(message, step, now, mute=True)
            self.halt(
                fault,
                Spot(step.service, f"process {message.destination}", step.on),
                self.next_spot(step),
                act.end,
            )
        else:
            self.succeed(message, step, now, fault)

    def succeed(self, message: Message, step: Step, now: int, fault: str) -> None:
        """The message is processed well, perhaps with something odd about it."""
        slow = 1.0
        if fault == "slow-fine":
            self.case.hit = fault
            slow = 100 + 200 * self.dice.uniform()
        act = self.attempt(message, step, now, slow=slow)
        if self.world.breaks(step, self.case):
            act.broken = True
            self.case.also.append("broken-propagation")
        if fault == "identity-conflict":
            self.case.hit = fault
            act.foreign = self.world.neighbour(self.case.index)
        if fault == "duplicate":
            self.case.hit = fault
            later = act.end + self.dice.spread(200 * MS, 0.8)
            self.attempt(message, step, later, mute=self.dice.uniform() < 0.5, again=True)
        if fault == "replay":
            self.case.hit = fault
            now = self.world.replay(self.case.start)
            self.attempt(message, step, now, mute=True, again=True)

    def attempt(
        self,
        message: Message,
        step: Step,
        now: int,
        attempt: int = 1,
        slow: float = 1,
        mute: bool = False,
        again: bool = False,
    ) -> Act:
        """A delivery that is processed well."""
        act = self.act("process", step.service, message.destination, now)
        act.message, act.attempt, act.again = message, attempt, attempt > 1 or again
        self.work(step, act, now, slow, mute)
        return act

    def fail(self, message: Message, step: Step, now: int, tries: int, fault: str) -> int:
        """Failing deliveries; returns when the next one begins."""
        for number in range(1, tries + 1):
            act = self.act("process", step.service, message.destination, now)
            act.message, act.attempt, act.error = message, number, "handler failed"
            act.again = number > 1
            end = self.query(step.db, act, now + 2 * MS) if step.db else now + 5 * MS
            if number == tries and fault == "dead-letter":
                end = self.bury(message, act, end)
            act.end = end + self.dice.spread(2 * MS, 0.5)
            now = act.end + self.dice.spread(300 * MS, 0.5)
            if number == tries and fault in ("handler-error", "dead-letter"):
                self.stop(fault, act, step, act.end)
        self.case.hit = fault
        return now

    def bury(self, message: Message, act: Act, now: int) -> int:
        """Send the message to the dead-letter destination."""
        made = self.act("send", act.service, f"{message.destination}.dlq", now, act)
        made.end = now + self.dice.spread(2 * MS, 0.4)
        made.message = Message(message.event, made.label, made, made.end, self.case.sends)
        return made.end

    def die(self, message: Message, step: Step, now: int, fault: str) -> None:
        """A handler that never ends: its children were exported, it was not."""
        act = self.act("process", step.service, message.destination, now)
        act.message, act.hidden = message, True
        act.dead_pod = fault == "crash"
        act.end = self.query(step.db or "state", act, now + 3 * MS)
        self.mark_dead(act)
        self.stop(fault, message.act, step, now)

    def mark_dead(self, act: Act) -> None:
        """Everything below shares the pod of the handler that died."""
        for other in self.case.acts:
            if other.parent is act:
                other.dead_pod = act.dead_pod

    # -- truth --------------------------------------------------------------------------------

    def next_spot(self, step: Step) -> Spot:
        """What a handler that fell silent should have published."""
        emits = (*step.emits, *(step.pause.emits if step.pause else ()))
        for emit in emits:
            if self.has(emit.only):
                where = self.flow.destination(emit.event)
                return Spot(step.service, f"publish {where}", where)
        return Spot(step.service, f"process {step.on}", step.on)

    def stop(self, fault: str, at: Act, step: Step, since: int) -> None:
        """The branch ends at an act that `step` should have followed."""
        destination = self.flow.destination(step.on)
        verb = "publish" if at.role == "send" else "process"
        spot = Spot(at.service, f"{verb} {at.label}", at.label)
        self.halt(fault, spot, Spot(step.service, f"process {destination}", destination), since)

    def halt(self, fault: str, at: Spot, waiting_for: Spot, since: int) -> None:
        """Note where the instance stopped; the earliest stop is the one that is told."""
        if self.case.since and self.case.since < since:
            return
        self.case.hit, self.case.since = fault, since
        self.case.stuck_at, self.case.waiting_for = at, waiting_for


_ATTEMPTS = {
    "handler-error": (1, 1),
    "dead-letter": (3, 3),
    "retry": (1, 3),
    "retry-storm": (8, 20),
}
