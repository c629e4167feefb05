"""What is compared: workflows, services, edges, steps, variants, states, errors and times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from analyzer.comparison.candidates import (
    RATE_RATIO,
    SHARE_FLOOR,
    TROUBLE_FLOOR,
    Candidate,
    Part,
    Sides,
    presence,
    share,
    shift,
)
from analyzer.comparison.change import Change, Figure, Place
from analyzer.comparison.snapshot import (
    Course,
    EdgeFacts,
    EdgeKey,
    Snapshot,
    StepFacts,
    StepKey,
    WorkflowFacts,
)
from analyzer.comparison.statistics import same_middle

Aspect = Callable[[Snapshot, Snapshot], Iterator[Candidate]]

TROUBLE = ("stuck", "failed", "dead-lettered", "orphaned", "late", "compensating", "compensated")
_NO_STEP = StepFacts("", 0)
_NO_EDGE = EdgeFacts(0, 0)


def workflows(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Workflows that began or ceased to run, by their share of all instances."""
    for name in sorted({*before.workflows, *after.workflows}):
        parts = _part_of(before, name), _part_of(after, name)
        yield from _told(presence("workflow", Place(workflow=name), parts))


def _part_of(side: Snapshot, name: str) -> Part:
    found = side.workflows.get(name)
    return Part(found.instances if found else 0, side.instances)


def services(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Services that joined or left."""
    for name in sorted({*before.services, *after.services}):
        parts = _with_service(before, name), _with_service(after, name)
        yield from _told(presence("service", Place(service=name), parts))


def _with_service(side: Snapshot, name: str) -> Part:
    return Part(side.services.get(name, 0), side.instances)


def edges(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Calls and messages between services, in instances that their source takes part in."""
    for key in _edge_keys(before, after):
        seen = [side.edges.get(key, _NO_EDGE).instances for side in (before, after)]
        yield from _told(presence("edge", _edge_place(key), _parts(before, after, key, seen)))


def destinations(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Queues and topics that messages are handed over by."""
    yield from _messages(before, after, "destination", lambda key: Place(destination=key[3]))


def consumers(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Who uses what a destination gets."""
    yield from _messages(
        before, after, "consumer", lambda key: Place(service=key[1], destination=key[3])
    )


def _messages(
    before: Snapshot, after: Snapshot, noun: str, place: Callable[[EdgeKey], Place]
) -> Iterator[Candidate]:
    """Of all edges that make up one place, the one that most instances have speaks for it."""
    groups: dict[Place, list[EdgeKey]] = {}
    for key in _edge_keys(before, after):
        if key[3]:
            groups.setdefault(place(key), []).append(key)
    for where, keys in groups.items():
        counts = {
            key: [side.edges.get(key, _NO_EDGE).instances for side in (before, after)]
            for key in keys
        }
        leading = max(keys, key=lambda key: (max(counts[key]), key))
        seen = [max(counts[key][side] for key in keys) for side in (0, 1)]
        yield from _told(presence(noun, where, _parts(before, after, leading, seen)))


def _parts(before: Snapshot, after: Snapshot, key: EdgeKey, seen: list[int]) -> Sides:
    """Of the instances of the source's service; of all where one side does not have it."""
    wholes = [side.services.get(key[0], 0) for side in (before, after)]
    if not all(wholes):
        wholes = [before.instances, after.instances]
    first, second = (Part(n, max(n, whole)) for n, whole in zip(seen, wholes, strict=True))
    return first, second


def _edge_keys(before: Snapshot, after: Snapshot) -> list[EdgeKey]:
    return sorted({*before.edges, *after.edges})


def _edge_place(key: EdgeKey) -> Place:
    source, target, kind, destination = key
    return Place(source=source, target=target, edge_kind=kind, destination=destination or None)


def steps(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Steps of workflows that run on both sides, by their share of the workflow's instances."""
    kinds = ("rarer-step", "commoner-step")
    for name, old, new in _both(before, after):
        for key in sorted({*old.steps, *new.steps}):
            place = Place(workflow=name, service=key[0], step=key[1])
            parts = _with_step(old, key), _with_step(new, key)
            yield presence("step", place, parts) or share(kinds, place, parts, SHARE_FLOOR)


def _with_step(side: WorkflowFacts, key: StepKey) -> Part:
    return Part(side.steps.get(key, _NO_STEP).instances, side.instances, side.open)


def variants(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """The courses of complete instances, where both sides know them."""
    kinds = ("rarer-variant", "commoner-variant")
    for name, old, new in _both(before, after):
        if old.variants is None or new.variants is None:
            continue
        for variant in sorted({*old.variants, *new.variants}):
            place = Place(workflow=name, variant=variant)
            parts = (
                _with_variant(old.variants, variant, old.complete),
                _with_variant(new.variants, variant, new.complete),
            )
            yield presence("variant", place, parts) or share(kinds, place, parts, SHARE_FLOOR)


def _with_variant(variants: Mapping[str, Course], variant: str, complete: int) -> Part:
    return Part(variants[variant].instances if variant in variants else 0, complete)


def states(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Instances in states that need attention."""
    for name, old, new in _both(before, after):
        for state in TROUBLE:
            parts = _in_state(old, state), _in_state(new, state)
            if any(part.part for part in parts):
                place = Place(workflow=name, state=state)
                yield share(("less-trouble", "more-trouble"), place, parts, TROUBLE_FLOOR)


def _in_state(side: WorkflowFacts, state: str) -> Part:
    return Part(side.by_state.get(state, 0), side.instances)


def errors(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Steps with an error, by their share of the step's instances."""
    kinds = ("fewer-errors", "more-errors")
    for name, key, old, new in _steps_of_both(before, after):
        known = old.failed is not None and new.failed is not None
        parts = (
            Part(_failed(old, known), old.instances),
            Part(_failed(new, known), new.instances),
        )
        if any(part.part for part in parts):
            place = Place(workflow=name, service=key[0], step=key[1])
            yield share(kinds, place, parts, TROUBLE_FLOOR, "errors")


def _failed(step: StepFacts, known: bool) -> int:
    """Instances with an error. A report counts errors, and all repetitions may be of one instance:
    at least so many instances had one."""
    if known and step.failed is not None:
        return step.failed
    repeated = step.occurrences - step.instances
    return min(max(step.errors - repeated, 0), step.instances)


def durations(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Of complete instances."""
    for name, old, new in _both(before, after):
        kinds = ("faster-workflow", "slower-workflow")
        yield from shift(kinds, Place(workflow=name), old.duration, new.duration)


def own_times(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """How long a step takes by itself; where a side is a report, when it begins."""
    for name, key, old, new in _steps_of_both(before, after):
        place = Place(workflow=name, service=key[0], step=key[1])
        if "report" in (before.form, after.form):
            found = shift(("earlier-step", "later-step"), place, old.offset, new.offset)
            yield from (one for one in found if one.change.measure == "seconds-p50")
        else:
            yield from shift(("faster-step", "slower-step"), place, old.own, new.own)


def waits(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """How long messages wait."""
    for key in sorted(set(before.edges) & set(after.edges)):
        if key[2] != "sync":
            old, new = before.edges[key].wait, after.edges[key].wait
            yield from shift(("faster-edge", "slower-edge"), _edge_place(key), old, new)


def rates(before: Snapshot, after: Snapshot) -> Iterator[Candidate]:
    """Calls and messages an instance, in the instances that have any."""
    for key in sorted(set(before.edges) & set(after.edges)):
        old, new = before.edges[key], after.edges[key]
        if not old.instances or not new.instances:
            continue
        was, now = (Figure(side.calls / side.instances, side.instances) for side in (old, new))
        ratio = (new.calls / new.instances) / (old.calls / old.instances)
        kind = "chattier-edge" if ratio > 1 else "quieter-edge"
        change = Change(kind, _edge_place(key), "per-instance", was, now)
        matters = max(ratio, 1 / ratio) >= RATE_RATIO
        yield Candidate(change, _same_rate(old, new, ratio), matters)


def _same_rate(old: EdgeFacts, new: EdgeFacts, ratio: float) -> float:
    """From reports: as if the counts spread as widely as those of retries (geometric) do."""
    if old.rate is not None and new.rate is not None:
        return same_middle(old.rate, new.rate)
    z = abs(math.log(ratio)) / math.sqrt(1 / old.instances + 1 / new.instances)
    return math.erfc(z / math.sqrt(2))


def _both(before: Snapshot, after: Snapshot) -> Iterator[tuple[str, WorkflowFacts, WorkflowFacts]]:
    for name in sorted(set(before.workflows) & set(after.workflows)):
        yield name, before.workflows[name], after.workflows[name]


def _steps_of_both(
    before: Snapshot, after: Snapshot
) -> Iterator[tuple[str, StepKey, StepFacts, StepFacts]]:
    for name, old, new in _both(before, after):
        for key in sorted(set(old.steps) & set(new.steps)):
            yield name, key, old.steps[key], new.steps[key]


def _told(found: Candidate | None) -> Iterator[Candidate]:
    if found is not None:
        yield found


ASPECTS: tuple[Aspect, ...] = (
    workflows, services, consumers, destinations, edges, steps, variants, states, errors,
    durations, own_times, waits, rates,
)  # fmt: skip
