"""What holds for the whole of a recording: its time line, and the faults of the whole system."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from collectors.simulate.case import Act, Case, Message
from collectors.simulate.dice import Dice, Usual
from collectors.simulate.flows import DAY, HOUR, MS, SECOND, Call, Flow, Step
from collectors.simulate.play import Play
from collectors.simulate.scenario import Scenario, ScenarioError

EPOCH_NS: Final = 1_772_438_400 * SECOND  # 2026-03-02T08:00:00Z, a Monday
BURST: Final = 5  # instances that come within a few milliseconds: batches need company
CHUNK: Final = 500  # instances that are in memory at a time


@dataclass(frozen=True, slots=True)
class Plan:
    """The usual course of one variant."""

    hops: tuple[str, ...]  # the service of each delivery or call, in order
    speaking: tuple[int, ...]  # hops whose service publishes something in answer
    sends: tuple[int, ...]  # numbers of the sends that somebody reads
    undo: tuple[int, ...]  # hops that compensate
    length_ns: int


class World:
    """The setting of one scenario. Its methods are asked while an instance is played."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.flow = scenario.flow
        self.cron = "cron" in scenario.faults
        self.chance = np.random.default_rng((scenario.seed, 0))
        self._dark = (1 << 62, 0)  # until the time line is known
        self._dark_service = self._pick("consumer-dark")
        self._outage_service = self._pick("outage")
        self._outage = (0, 0)
        self._broken = self._pick_step()
        self.plans = {v: self._plan(v) for v in (*self.flow.variants, *self.flow.extra)}
        self.length_ns = scenario.length_ns or self._length()
        self.horizon_ns = EPOCH_NS + self.length_ns
        self.uninstrumented = self._pick("uninstrumented")
        self.skewed = self._pick("skew")
        self.polling = self._pick("poll-loop")
        self.delayed = self._pick("late-spans")
        self._time_faults()

    def _pick(self, fault: str) -> str:
        """The service that a fault of the whole system aims at; never the one that starts.

        One that reads messages, where there is such a one: what befalls it has to show.
        """
        names = [s for s in self.flow.services if s != self.flow.start.service]
        reading = {step.service for step in self.flow.steps if step.on in self._common_events()}
        names = [s for s in names if s in reading] or names
        chosen = names[int(self.chance.integers(len(names)))]
        if fault not in self.scenario.faults:
            return ""
        return self.scenario.target or chosen

    def _pick_step(self) -> Step | None:
        steps = [s for s in self.flow.steps if s.service == self.scenario.target]
        steps = steps or [s for s in self.flow.steps if s.on in self._common_events()]
        chosen = int(self.chance.integers(max(1, len(steps))))
        return steps[chosen] if "broken-propagation" in self.scenario.faults else None

    def _common_events(self) -> set[str]:
        """Events of the likeliest variant, so that a fault aimed at one does occur."""
        likeliest = max(self.flow.variants, key=lambda v: self.flow.variants[v])
        steps = (self.flow.start, *self.flow.steps)
        return {e.event for s in steps for e in s.emits if not e.only or likeliest in e.only}

    def _plan(self, variant: str) -> Plan:
        """Play the variant once without chance and without faults."""
        case = Case(0, "", EPOCH_NS, variant)
        recorder = _Recorder(self, self.flow, case, Usual())
        recorder.run()
        steps = recorder.steps
        places = self.flow.undo
        return Plan(
            tuple(s.service for s in steps) or tuple(recorder.calls),
            tuple(i for i, s in enumerate(steps) if s.emits or s.pause)
            or tuple(range(len(recorder.calls))),
            tuple(sorted({m.number for m in recorder.messages})),
            tuple(i for i, s in enumerate(steps) if (s.service, s.on) in places),
            max(act.end for act in case.acts) - EPOCH_NS,
        )

    def _length(self) -> int:
        """Long enough for most instances to be old when it ends, and for two a second."""
        longest = max(plan.length_ns for plan in self.plans.values())
        human = 40 * DAY if "human" in self.scenario.faults else 0
        late = 40 * (self.scenario.gap_ns or SECOND) * ("late" in self.scenario.faults)
        usual = self.scenario.instances * SECOND // 2
        return max(usual, 12 * longest, human, 12 * late, 60 * SECOND)

    def _time_faults(self) -> None:
        faults = self.scenario.faults
        dark = round(self.length_ns * faults.get("consumer-dark", 0))
        self._dark = (self.horizon_ns - dark, 1 << 62)
        away = round(self.length_ns * faults.get("outage", 0))
        middle = EPOCH_NS + self.length_ns // 2
        self._outage = (middle - away // 2, middle + away // 2)

    # -- instances ----------------------------------------------------------------------------

    @cached_property
    def spacing_ns(self) -> int:
        """Mean time between two instances."""
        return max(1, self.length_ns // self.scenario.instances)

    @property
    def last_start_ns(self) -> int:
        """When the last instances start: the recording goes on until then, perhaps no longer."""
        return EPOCH_NS + (self.scenario.instances - 1) // BURST * BURST * self.spacing_ns

    @property
    def cut_ns(self) -> int:
        """Nothing that ends later is in the recording."""
        stops = {"in-flight", "late-spans"} & self.scenario.faults.keys()
        return self.horizon_ns if stops else 1 << 62

    def exported_ns(self, service: str) -> int:
        """What that service ended later was not exported before the recording stopped."""
        late = self.scenario.faults.get("late-spans", 0.0) if service == self.delayed else 0.0
        return self.cut_ns - round(late * SECOND)

    def case(self, index: int, dice: Dice) -> Case:
        """Draw one instance: when it starts, how it should go, and what goes wrong."""
        start, variant, fault = self._start(index, dice), self._variant(index, dice), ""
        drawn = dice.uniform()
        for name, share in self.scenario.instance_faults.items():
            if not fault and drawn < share:
                fault = name
            drawn -= share
        place_drawn = dice.uniform()
        if fault == "rejection":
            variant = "rejected"
        elif fault in ("compensated", "no-compensation") and "failed" in self.flow.extra:
            variant = "failed"
        place = self._place(fault, self.plans[variant], place_drawn)
        key = f"{self.flow.prefix}-{100_000 + index}"
        return Case(index, key, start, variant, fault if place != -2 else "", place)

    def _start(self, index: int, dice: Dice) -> int:
        share = self.scenario.faults.get("in-flight", 0)
        moved, jitter = dice.uniform(), dice.uniform()
        if moved < share:
            longest = max(plan.length_ns for plan in self.plans.values())
            return self.horizon_ns - round(jitter * longest)
        burst = self.spacing_ns * BURST
        return EPOCH_NS + index // BURST * burst + round(jitter * min(burst, 10 * MS))

    def _variant(self, index: int, dice: Dice) -> str:
        drawn = dice.uniform()
        if self.flow.name == "migration":  # the new edge takes over as time goes by
            return "new" if drawn < index / self.scenario.instances else "old"
        for variant, share in self.flow.variants.items():
            drawn -= share
            if drawn < 0:
                return variant
        return next(iter(self.flow.variants))

    def _place(self, fault: str, plan: Plan, drawn: float) -> int:
        """Number of the hop or send that is hit; -2 where the variant has no such place."""
        if fault in ("", "rejection", "compensated"):
            return -1
        where: tuple[int, ...] = tuple(range(len(plan.hops)))
        if fault == "send-failed":
            where = plan.sends
        elif fault == "no-compensation":
            where = plan.undo
        elif fault == "skip":
            where = plan.speaking
        if self.scenario.target and fault not in ("send-failed", "no-compensation"):
            where = tuple(i for i in where if plan.hops[i] == self.scenario.target)
        return where[int(drawn * len(where))] if where else -2

    def neighbour(self, index: int) -> int:
        """The instance whose key is taken for another's; always one of the same chunk."""
        last = min(self.scenario.instances, index // CHUNK * CHUNK + CHUNK) - 1
        return index + 1 if index < last else max(0, index - 1)

    # -- faults of the whole system -----------------------------------------------------------

    def dark(self, service: str, now: int) -> bool:
        """Whether the service is dead at that time."""
        return service == self._dark_service and now >= self._dark[0]

    def after_outage(self, service: str, now: int, dice: Dice) -> int:
        """When a service that is away for a while gets to its work."""
        first, last = self._outage
        if service != self._outage_service or not first <= now < last:
            return now
        return last + dice.spread(SECOND, 0.5) + (now - first) // 50

    def breaks(self, step: Step, case: Case) -> bool:
        """Whether this consumer loses the context of this instance's message."""
        if step is not self._broken:
            return False
        share = self.scenario.faults["broken-propagation"]
        return _mix(self.scenario.seed, case.index) < share

    def replay(self, start: int) -> int:
        """When a message of that age is read again: in one go, after everything."""
        return self.horizon_ns + 2 * DAY + (start - EPOCH_NS) // 1000

    @property
    def patience_ns(self) -> int:
        """An age at which a missing step is beyond doubt, given this scenario's own waits.

        Also for one who does not know their distribution: three times the longest of hundreds.
        """
        faults = self.scenario.faults
        usual = 12 * (self.scenario.gap_ns or SECOND)
        if "late" in faults:
            usual = max(usual, 120 * (self.scenario.gap_ns or SECOND))
        if "outage" in faults:
            usual = max(usual, round(2.5 * self.length_ns * faults["outage"]))
        if "human" in faults:
            usual = max(usual, 20 * DAY)
        return max(usual, HOUR // 120)


class _Recorder(Play):
    """A play that notes which places it came through."""

    def __init__(self, world: World, flow: Flow, case: Case, dice: Dice) -> None:
        super().__init__(world, flow, case, dice)
        self.steps: list[Step] = []
        self.messages: list[Message] = []
        self.calls: list[str] = []

    def deliver(self, message: Message, step: Step) -> None:
        self.steps.append(step)
        self.messages.append(message)
        if len(self.steps) > 500:
            raise ScenarioError(f"{self.flow.name} never ends: {step.on} leads to itself")
        super().deliver(message, step)

    def serve(self, call: Call, client: Act, now: int, fault: str) -> str:
        self.calls.append(call.service)
        return super().serve(call, client, now, fault)


def _mix(seed: int, index: int) -> float:
    """A number in [0, 1) for one instance that no other draw depends on."""
    value = (index * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return ((value ^ (value >> 31)) & 0xFFFFFFFF) / 2**32
