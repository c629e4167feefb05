"""Where the person has been: back and forward, as in a browser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A page with its filter and cursor, or an instance over it."""

    page: str
    where: str = ""
    key: str | None = None
    instance: str | None = None


class History:
    """At most `most` places."""

    def __init__(self, first: Place, most: int = 100) -> None:
        self._places = [first]
        self._at = 0
        self._most = most

    @property
    def here(self) -> Place:
        """The present one."""
        return self._places[self._at]

    def note(self, place: Place) -> None:
        """The present one has changed (its filter, its cursor)."""
        self._places[self._at] = place

    def go(self, place: Place) -> None:
        """To a new one; what was ahead is forgotten."""
        self._places = [*self._places[: self._at + 1], place][-self._most :]
        self._at = len(self._places) - 1

    def step(self, by: int) -> Place | None:
        """One back (-1) or forward (1); None where there is none."""
        if not 0 <= self._at + by < len(self._places):
            return None
        self._at += by
        return self.here

    def instances(self, most: int = 6) -> list[Place]:
        """The instances that were open, the latest first."""
        found: dict[str, Place] = {}
        for place in reversed(self._places):
            if place.instance is not None:
                found.setdefault(place.instance, place)
        return list(found.values())[:most]
