"""Receivers on this machine: a program, standard output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from analyzer.alerts.engine import Event
from analyzer.alerts.targets.base import Print, Run, body


@dataclass(frozen=True, slots=True)
class Exec:
    """Starts a program for each event, which stands on its standard input as JSON."""

    name: str
    argv: tuple[str, ...]
    timeout_s: float = 10.0
    batch: int = 1
    repeats: bool = False
    digests: bool = False

    def message(self, events: Sequence[Event]) -> Run:
        """The program's call."""
        (event,) = events
        return Run(self.argv, msgspec.json.encode(body(event)), self.timeout_s)


@dataclass(frozen=True, slots=True)
class Stdout:
    """One JSON object a line."""

    name: str
    batch: int = 1
    repeats: bool = False
    digests: bool = False

    def message(self, events: Sequence[Event]) -> Print:
        """The event's line."""
        (event,) = events
        return Print(ascii_json(body(event)))


def ascii_json(value: object) -> str:
    """JSON in ASCII: no foreign control or bidi character reaches a terminal."""
    import json

    return json.dumps(value, ensure_ascii=True)
