"""Times, durations, counts and shares, as people and machines write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import isfinite

SECOND = 1_000_000_000
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:?\d\d)?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT = 2**63 - 1


def rfc3339(time_ns: int | None) -> str | None:
    """UTC with 0, 3, 6 or 9 digits of a second: as many as it takes."""
    if time_ns is None:
        return None
    seconds, fraction = divmod(time_ns, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    if not fraction:
        return f"{text}Z"
    digits = f"{fraction:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z"


def moment(time_ns: int | None) -> str:
    """For people: to the millisecond, UTC."""
    text = rfc3339(None if time_ns is None else time_ns // 1_000_000 * 1_000_000) or "?"
    return text.replace("T", " ")


def parse_time(text: str) -> tuple[int, int]:
    """[first, last) nanosecond that `text` names: RFC 3339 or a part of it, or epoch nanoseconds.

    Without a zone it is UTC. A date is a day long, a minute a minute. ValueError says what is
    wrong.
    """
    if re.fullmatch(r"\d{12,19}", text):
        return _inside(int(text), text), int(text) + 1
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a time such as 2024-05-31T14:02:14Z or epoch nanoseconds"
        )
    day, clock, second, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{second or ':00'}{_zone(zone)}")
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time: {error}") from None
    delta = moment - _EPOCH
    first = (delta.days * 86_400 + delta.seconds) * SECOND + int((fraction or "0").ljust(9, "0"))
    return _inside(first, text), first + _precision(clock, second, fraction)


def _zone(zone: str | None) -> str:
    if zone is None or zone in "Zz":
        return "+00:00"
    return zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"


def _inside(time_ns: int, text: str) -> int:
    if not -_LIMIT <= time_ns <= _LIMIT - 86_400 * SECOND:
        raise ValueError(f"{text!r} is outside the years 1678 to 2262")
    return time_ns


def _precision(clock: str | None, second: str | None, fraction: str | None) -> int:
    if clock is None:
        return 86_400 * SECOND
    if second is None:
        return 60 * SECOND
    return 10 ** (9 - len(fraction)) if fraction else SECOND


def parse_duration(text: str) -> int:
    """Nanoseconds of `5m`, `1h30m`, `250ms`, `1.5s`; ValueError where a unit is missing."""
    position, total = 0, 0.0
    for match in _DURATION_PART.finditer(text):
        if match.start() != position:
            break
        total += float(match[1]) * _UNITS[match[2]]
        position = match.end()
    if not text or position != len(text) or total > _LIMIT:
        raise ValueError(f"{text!r} is not a duration such as 250ms, 5m or 1h30m")
    return round(total)


def duration(span_ns: int | float | None) -> str:
    """Two units at most: `40ms`, `1.2s`, `47m`, `3h31m`, `2d4h`."""
    if span_ns is None or not isfinite(span_ns):
        return "—"
    ns = abs(round(span_ns))
    sign = "-" if span_ns < 0 else ""
    if ns < 1_000_000:
        return sign + (f"{ns / 1000:.0f}µs" if ns >= 1000 else f"{ns}ns")
    if ns < 999_500_000:
        return f"{sign}{ns / 1_000_000:.3g}ms"
    if ns < 59_950_000_000:
        return f"{sign}{ns / SECOND:.3g}s"
    return sign + _long(round(ns / SECOND))


def _long(seconds: int) -> str:
    for size, unit, small, small_unit in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            big, rest = divmod(seconds, size)
            part = rest // small
            return f"{big}{unit}{part}{small_unit}" if part and big < 100 else f"{big}{unit}"
    return f"{seconds}s"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 span`, `1,234 spans`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def percent(share: float) -> str:
    """`0.4 %`, `12 %`; never 0 % of something nor 100 % of not all."""
    value = share * 100
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    return f"{value:.0f} %" if value >= 10 or value == round(value) else f"{value:.1f} %"
