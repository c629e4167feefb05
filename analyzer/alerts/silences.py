"""Silences: alerts of these labels are not told until then, and who said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from analyzer.alerts.incident import Incident

FIELDS = ("kind", "workflow", "service", "step", "cause", "owner", "severity")


@dataclass(frozen=True, slots=True)
class Silence:
    """Matches an incident where every given field does; globs are allowed."""

    id: str
    match: tuple[tuple[str, str], ...]  # (field, glob)
    until_ns: int
    by: str
    reason: str
    from_ns: int = 0


def silenced(incident: Incident | None, silences: Sequence[Silence], now_ns: int) -> str:
    """The id of a silence that holds the incident back at that time; empty where none does."""
    if incident is None:
        return ""
    for silence in silences:
        if silence.from_ns <= now_ns < silence.until_ns and _matches(incident, silence):
            return silence.id
    return ""


def _matches(incident: Incident, silence: Silence) -> bool:
    return bool(silence.match) and all(
        fnmatchcase(str(getattr(incident, name)), glob) for name, glob in silence.match
    )
