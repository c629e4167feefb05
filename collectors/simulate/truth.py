"""What an honest analysis should say about every simulated instance."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from collectors.simulate.case import Case, Spot
from collectors.simulate.faults import FAULTS, Fault
from collectors.simulate.flows import SECOND
from collectors.simulate.world import World


class Place(msgspec.Struct, omit_defaults=True):
    """A place in a workflow."""

    service: str = ""
    step: str = ""
    destination: str = ""


class Truth(msgspec.Struct, tag_field="record", tag="instance"):
    """One instance.

    `state` is the best word and `states` are as good. `findings` are groups of kinds: one kind
    of each group has to be said. Kinds in `accepts` are no false alarm. `causes` are the right
    first causes, `never_causes` the wrong ones. Where `judgeable` is false, the fault is too
    young to be told from a usual wait.
    """

    key: str
    trace_ids: list[str]
    workflow: str
    variant: str
    state: str
    states: list[str]
    faults: list[str]
    findings: list[list[str]]
    accepts: list[str]
    causes: list[str]
    never_causes: list[str]
    stuck_at: Place | None
    waiting_for: Place | None
    since_ns: int | None
    judgeable: bool
    spans: int
    span_ids: list[str]  # of the spans at a service's boundary that are its own
    start_ns: int
    end_ns: int
    struck_ns: int | None = None  # when the fault happened, for one who sees everything


class Header(msgspec.Struct, tag_field="record", tag="scenario"):
    """The first record: what was simulated, and when the recording ends."""

    scenario: str
    seed: int
    as_of_ns: int
    counts: dict[str, int]  # instances, spans, and instances by state
    unread: tuple[str, ...] = ()  # destinations that nobody reads, by design


RETRY_NS = 10 * SECOND  # an error that is younger may still be followed by a retry

_OPEN = ("running", "waiting", "late")
_VICTIM = "identity-conflict-victim"
_ANY = (
    "duplicate-delivery",
    "failed",
    "identity-conflict",
    "late",
    "missing-step",
    "orphaned",
    "retry-storm",
    "stuck",
    "unconsumed-message",
)
_UNSURE = ("sampling", "broken-propagation", "uninstrumented")
_TOUCHES = ("broken-propagation", "late-spans")  # some instances only; the others all of them


def tell(world: World, case: Case) -> Truth:
    """The truth about an instance that was played and rendered."""
    known = FAULTS.get(case.hit or _quiet_fault(case), Fault("", "hop"))
    known = _weigh(world, case, known)
    halted = case.since > 0 and case.since <= world.cut_ns
    faults = [f for f in dict.fromkeys([case.hit or _quiet_fault(case), *case.also]) if f]
    return Truth(
        key=case.key,
        trace_ids=list(case.traces),
        workflow=world.flow.name,
        variant=case.variant,
        state=known.state,
        states=sorted({known.state, *known.states}),
        faults=faults,
        findings=[list(group) for group in known.findings],
        accepts=sorted({*known.accepts, *(k for g in known.findings for k in g)}),
        causes=[*known.causes, *("downstream-silent",) * (case.mute and bool(known.causes))],
        never_causes=["lost"] * (_unsure(world, case) or "lost" not in known.causes),
        stuck_at=_place(case.stuck_at) if halted else None,
        waiting_for=_place(case.waiting_for) if halted else _pause(world, case),
        since_ns=case.since if halted else None,
        judgeable=_judgeable(world, case),
        spans=case.spans,
        span_ids=case.boundary,
        start_ns=case.first_ns,
        end_ns=case.last_ns,
        struck_ns=case.struck if known.findings else None,
    )


def _quiet_fault(case: Case) -> str:
    """A fault that is a way the business goes, not a place where it stops."""
    return case.fault if case.fault in ("rejection", "compensated") else ""


def _unsure(world: World, case: Case) -> bool:
    faults = world.scenario.faults
    touched = "broken-propagation" in case.also
    return touched or "sampling" in faults or "uninstrumented" in faults


def _judgeable(world: World, case: Case) -> bool:
    age = world.last_start_ns - case.since
    if not case.since or case.hit in ("dead-letter", "send-failed"):
        return True
    if case.hit == "handler-error":
        return age > RETRY_NS
    return age > world.patience_ns


def _weigh(world: World, case: Case, known: Fault) -> Fault:
    """The fault as it can be seen: not before its time, and not what was never exported."""
    kinds = tuple({k for group in known.findings for k in group} | set(known.accepts))
    if case.since > world.cut_ns:
        known = Fault("", "hop")  # the recording stopped before it happened
    elif known.findings and not _judgeable(world, case):
        others = (known.state, *known.states, *_OPEN)
        known = replace(known, state="waiting", states=others, findings=(), accepts=kinds)
    if world.scenario.shape == "key" and {case.hit, *case.also} & {"identity-conflict", _VICTIM}:
        known = _blur(known, FAULTS["identity-conflict"], ())  # the key is all there was
        known = replace(known, accepts=(*known.accepts, *_ANY))
    for name in (*_UNSURE, "late-spans"):
        if name in case.also or (name in world.scenario.faults and name not in _TOUCHES):
            known = _blur(known, FAULTS[name], kinds)
    if case.cut and known.state in ("complete", "compensated"):
        accepts = (*known.accepts, *kinds, "late")  # long human waits do look late
        return replace(known, state="running", states=_OPEN, findings=(), accepts=accepts)
    if "outage" in case.also:
        known = replace(known, states=(*known.states, "late"))
        known = replace(known, accepts=(*known.accepts, *FAULTS["outage"].accepts))
    return known


def _blur(known: Fault, by: Fault, kinds: tuple[str, ...]) -> Fault:
    """Nothing can be asked for where part of the evidence is missing."""
    states = (known.state, *known.states, *by.states, *_OPEN, "complete")
    causes = (*known.causes, *by.causes)
    accepts = (*known.accepts, *kinds, *by.accepts)
    return replace(known, states=states, findings=(), accepts=accepts, causes=causes)


def _place(spot: Spot) -> Place | None:
    return Place(spot.service, spot.step, spot.destination) if spot.service else None


def _pause(world: World, case: Case) -> Place | None:
    """What an instance waits for that stood in a pause when the recording stopped."""
    for first, last, spot in case.pauses:
        if first <= world.cut_ns < last:
            return _place(spot)
    return None
