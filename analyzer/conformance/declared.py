"""Everything that was declared: expectations, and contracts of services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from analyzer.conformance.expectations import NOWHERE, Expectations, Origin


class Use(StrEnum):
    """What a service does with a channel."""

    SENDS = "sends"
    RECEIVES = "receives"


@dataclass(frozen=True, slots=True)
class Channel:
    """A declared channel: what it is called, and the names that spans may give it.

    `addresses`: names with `{parameter}` for any one part; any of them is the channel.
    """

    name: str
    addresses: tuple[str, ...]
    origin: Origin = NOWHERE

    def __str__(self) -> str:
        """Its name, and what it is called on the broker where that is something else."""
        if self.name in self.addresses or not self.addresses:
            return self.name
        return f"{self.name} ({self.addresses[0]})"


@dataclass(frozen=True, slots=True)
class Operation:
    """A service uses a channel."""

    service: str
    use: Use
    channel: Channel
    message: str | None = None
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class Contract:
    """One document: an AsyncAPI document speaks for one service, a catalog for all of its own."""

    source: str
    title: str
    services: tuple[str, ...]  # whose operations are all in here
    channels: tuple[Channel, ...] = ()
    operations: tuple[Operation, ...] = ()
    certain: bool = True  # the name of the service was given; else it is guessed from the title


NONE = Expectations()
# Reads another file by a path relative to the file that names it: (text, its source name).
Reader = Callable[[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a recording is held against."""

    expectations: Expectations = NONE
    contracts: tuple[Contract, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The files, in the order in which they were given."""
        own = (self.expectations.source,) if self.expectations.source else ()
        return tuple(dict.fromkeys((*own, *(one.source for one in self.contracts))))


NOTHING = Declared()
