"""What became of each thing that was declared: held, broken, or not to be judged, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The verdict on one expectation over the whole recording; the worst wins."""

    BROKEN = "broken"
    HELD = "held"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation. Counts are instances, or uses of a channel for a contract."""

    rule: str  # required, within, times, exclusive, pair, compensates, ends, starts, channel, ...
    subject: str  # "inventory: process orders.placed", or a channel
    expected: str  # in words: "comes, within 5m"
    held: int = 0
    broken: int = 0
    unjudged: int = 0
    why: tuple[tuple[str, int], ...] = ()  # of the unjudged ones: reason, how many
    examples: tuple[str, ...] = ()  # ids of instances where it was broken
    owner: str | None = None
    source: str = ""  # file it is declared in
    line: int = 1

    @property
    def outcome(self) -> Outcome:
        """Broken where it was broken once; held where it was judged at all."""
        if self.broken:
            return Outcome.BROKEN
        return Outcome.HELD if self.held else Outcome.UNJUDGED


@dataclass(frozen=True, slots=True)
class CheckedWorkflow:
    """A declared workflow: how many instances are of it, and its expectations."""

    name: str
    instances: int
    checks: tuple[Check, ...]
    seen_as: tuple[str, ...] = ()  # what the analysis calls the workflows of these instances


@dataclass(frozen=True, slots=True)
class Conformance:
    """Everything that was declared, held against everything that ran."""

    sources: tuple[str, ...]
    workflows: tuple[CheckedWorkflow, ...] = ()
    contracts: tuple[Check, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """Those of the workflows, then those of the contracts."""
        return (*(one for each in self.workflows for one in each.checks), *self.contracts)

    @property
    def by_outcome(self) -> dict[str, int]:
        """Number of expectations with each outcome."""
        found = {outcome.value: 0 for outcome in Outcome}
        for check in self.checks:
            found[check.outcome.value] += 1
        return found
