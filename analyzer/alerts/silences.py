"""Silences: alerts of these labels are not told until then, and who said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from analyzer.alerts.incident import Incident

FIELDS = ("kind", "workflow", "service", "step", "cause", "owner", "severity")
LONGEST_S = 366 * 24 * 3600  # a silence that nobody remembers hides everything


@dataclass(frozen=True, slots=True)
class Silence:
    """Matches an incident where every given field does; globs are allowed."""

    id: str
    match: tuple[tuple[str, str], ...]  # (field, glob)
    until_ns: int
    by: str
    reason: str
    from_ns: int = 0


def silence_for(
    match: Mapping[str, str], seconds: int, by: str, reason: str, now_ns: int
) -> Silence:
    """A silence from now on. Raises ValueError, which says what would be right."""
    unknown = sorted(set(match) - set(FIELDS))
    if unknown:
        raise ValueError(f"no field {unknown[0][:40]!r}; there are {', '.join(FIELDS)}")
    if not match or not all(match.values()):
        raise ValueError(f"match needs at least one of {', '.join(FIELDS)}, each with a value")
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"seconds must be between 1 and {LONGEST_S}")
    if not reason.strip():
        raise ValueError("say the reason: others will see alerts missing")
    until = now_ns + seconds * 1_000_000_000
    return Silence(f"{now_ns:x}", tuple(sorted(match.items())), until, by, reason, now_ns)


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
