"""What a service does at one place: statements, calls, sends and pauses, and where it stops."""

from __future__ import annotations

from collections import deque

from collectors.simulate.case import Act, Case, Message, Spot
from collectors.simulate.dice import Dice
from collectors.simulate.flows import MS, SECOND, Call, Emit, Flow, Pause, Step
from collectors.simulate.setting import Setting


class Work:
    """The work of one instance; calls are made at once, messages wait in `queue`."""

    def __init__(self, world: Setting, flow: Flow, case: Case, dice: Dice) -> None:
        self.world = world
        self.flow = flow
        self.case = case
        self.dice = dice
        self.queue: deque[tuple[Message, Step]] = deque()
        self.again = bool(flow.loops) and dice.uniform() < flow.loops

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
                server.error = "500"  # whatever befell its callee, it answers itself
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
        self.case.mute = server.hidden and not any(a.parent is server for a in self.case.acts)
        self.mark_dead(server)
        self.halt(fault, Spot(client.service, client.label), spot, server.end)

    def arrive(self, service: str) -> str:
        """Count one hop; the fault that hits it."""
        number, self.case.hops = self.case.hops, self.case.hops + 1
        return self.case.fault if number == self.case.place else ""

    # -- where it stops -----------------------------------------------------------------------

    def mark_dead(self, act: Act) -> None:
        """Everything below shares the pod of the handler that died."""
        for other in self.case.acts:
            if other.parent is act:
                other.dead_pod = act.dead_pod

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
        self.case.hit, self.case.since, self.case.struck = fault, since, since
        self.case.stuck_at, self.case.waiting_for = at, waiting_for
