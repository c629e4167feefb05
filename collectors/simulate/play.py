"""One instance of a workflow played through: every delivery, and what goes wrong with it."""

from __future__ import annotations

from collectors.simulate.case import Act, Message, Spot
from collectors.simulate.flows import HOUR, MS, Step
from collectors.simulate.work import Work

# The bulk of a log-normal lies below exp(3 sigma) times its median.
WAIT_NS, WAIT_SIGMA = 20 * MS, 0.8
GAP_SIGMA = 0.4


class Play(Work):
    """Plays one instance: its start, then message after message until none is left."""

    def run(self) -> None:
        """Fill `case.acts`."""
        flow, case = self.flow, self.case
        role = "job" if self.world.cron else "server"
        root = self.act(role, flow.start.service, flow.route, case.start)
        self.work(flow.start, root, case.start)
        while self.queue:
            self.deliver(*self.queue.popleft())

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
            self.case.struck = act.end
        if fault == "duplicate":
            self.case.hit = fault
            later = act.end + self.dice.spread(200 * MS, 0.8)
            second = self.attempt(message, step, later, mute=self.dice.uniform() < 0.5, again=True)
            self.case.struck = second.end
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
            self.case.struck = self.case.struck or act.end
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
        if self.case.since == now:
            self.case.struck = act.end

    def next_spot(self, step: Step) -> Spot:
        """What a handler that fell silent should have published."""
        emits = (*step.emits, *(step.pause.emits if step.pause else ()))
        for emit in emits:
            if self.has(emit.only):
                where = self.flow.destination(emit.event)
                return Spot(step.service, f"publish {where}", where)
        return Spot(step.service, f"process {step.on}", step.on)


_ATTEMPTS = {
    "handler-error": (1, 1),
    "dead-letter": (3, 3),
    "retry": (1, 3),
    "retry-storm": (8, 20),
}
