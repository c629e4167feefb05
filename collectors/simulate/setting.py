"""What an instance asks of the recording that it is played in."""

from __future__ import annotations

from typing import Protocol

from collectors.simulate.case import Case
from collectors.simulate.dice import Dice
from collectors.simulate.flows import Step
from collectors.simulate.scenario import Scenario


class Setting(Protocol):
    """The time line of a recording, and the faults of its whole system."""

    @property
    def scenario(self) -> Scenario:
        """What is simulated."""
        ...

    @property
    def cron(self) -> bool:
        """Whether a job starts the instances."""
        ...

    def dark(self, service: str, now: int) -> bool:
        """Whether the service is dead at that time."""
        ...

    def after_outage(self, service: str, now: int, dice: Dice) -> int:
        """When a service that is away for a while gets to its work."""
        ...

    def breaks(self, step: Step, case: Case) -> bool:
        """Whether this consumer loses the context of this instance's message."""
        ...

    def neighbour(self, index: int) -> int:
        """The instance whose key is taken for another's."""
        ...

    def replay(self, start: int) -> int:
        """When a message of that age is read again."""
        ...
