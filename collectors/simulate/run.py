"""Runs a scenario in bounded memory: chunk by chunk, as requests and truth."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from collectors.simulate.case import Case
from collectors.simulate.dice import deal
from collectors.simulate.otlp import Request
from collectors.simulate.play import Play
from collectors.simulate.render import Renderer
from collectors.simulate.scenario import Scenario
from collectors.simulate.truth import Header, Truth, tell
from collectors.simulate.world import CHUNK, World


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some hundred instances: their spans, and the truth about them."""

    requests: tuple[Request, ...]
    truth: tuple[Truth, ...]
    played: int = 0  # instances, those without a span too


def chunks(scenario: Scenario) -> Iterator[Chunk]:
    """Play and render the scenario; only one chunk is in memory at a time."""
    world = World(scenario)
    renderer = Renderer(world)
    for number, first in enumerate(range(0, scenario.instances, CHUNK)):
        with _no_collection():
            cases = _play(world, number, first)
            requests = tuple(renderer.render(number, cases))
            seen = [case for case in cases if case.spans]
            chunk = Chunk(requests, tuple(tell(world, case) for case in seen), len(cases))
            _release(cases)
        yield chunk


def _release(cases: list[Case]) -> None:
    """Cut the circles, so that nothing of the chunk waits for the garbage collector."""
    for case in cases:
        for act in case.acts:
            act.message = None
        case.acts.clear()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection, which would look at every young span again: a third faster."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _play(world: World, number: int, first: int) -> list[Case]:
    count = min(CHUNK, world.scenario.instances - first)
    cases = []
    for offset, dice in enumerate(deal(world.scenario.seed, number, count)):
        case = world.case(first + offset, dice)
        if case.start <= world.cut_ns:
            Play(world, world.flow, case, dice).run()
            cases.append(case)
    by_index = {case.index: case for case in cases}
    for case in cases:
        if case.hit == "identity-conflict" and world.neighbour(case.index) in by_index:
            by_index[world.neighbour(case.index)].also.append("identity-conflict-victim")
    return cases


def simulate(scenario: Scenario) -> tuple[Iterator[Request], TruthOf]:
    """The spans of a scenario as OTLP requests, and the truth about its instances."""
    requests = (request for chunk in chunks(scenario) for request in chunk.requests)
    return requests, TruthOf(scenario)


@dataclass(frozen=True, slots=True)
class TruthOf:
    """The truth of a scenario. Every iteration plays it again, so that nothing is kept."""

    scenario: Scenario

    def __iter__(self) -> Iterator[Truth]:
        """One record an instance of which at least one span was exported."""
        for chunk in chunks(self.scenario):
            yield from chunk.truth

    @property
    def header(self) -> Header:
        """The scenario, the end of the recording, and the counts."""
        tally = Tally()
        for chunk in chunks(self.scenario):
            tally.add(chunk)
        return tally.header(self.scenario)


class Tally:
    """Counts what goes by."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.last_ns = 0
        self.played = 0  # instances, those without a span too

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        self.played += chunk.played
        self.counts["instances"] += len(chunk.truth)
        self.counts["spans"] += sum(request.spans for request in chunk.requests)
        self.counts.update(truth.state for truth in chunk.truth)
        self.last_ns = max([self.last_ns, *(truth.end_ns for truth in chunk.truth)])

    def header(self, scenario: Scenario) -> Header:
        """The header record for what has been counted."""
        counts = dict(sorted(self.counts.items()))
        unread = scenario.flow.unread
        return Header(scenario.uri, scenario.seed, self.last_ns, counts, unread)
