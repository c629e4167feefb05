"""Durations and shares in words."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def spell(ns: float) -> str:
    """A duration in nanoseconds as people say it: "2d 3h", "4m 10s", "1.5s", "20ms"."""
    seconds = ns / 1e9
    sign = "-" if seconds < 0 else ""
    seconds = abs(seconds)
    if seconds < 1:
        return f"{sign}{seconds * 1e3:.3g}ms"
    if seconds < 60:
        return f"{sign}{seconds:.3g}s"
    whole = round(seconds)
    parts = []
    for size, unit in (*_UNITS, (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + " ".join(parts[:2])


def plural(n: int, one: str, many: str | None = None) -> str:
    """ "1 message", "3 messages"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def verb(n: int, many: str) -> str:
    """ "names" for one, "name" for several."""
    return many + "s" if n == 1 else many
