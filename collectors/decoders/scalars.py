"""Reads single values as the encodings write them: ids, 64-bit integers, times, attribute texts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from collectors.ledger import Rejected
from collectors.schema import Quality

MAX_DEPTH = 32  # of lists and maps in one attribute value
MAX_NS = 2**63 - 1
HEX = frozenset("0123456789abcdefABCDEF")


SHOWN = 60  # characters of a value that a problem quotes


def shown(value: object) -> str:
    """A value in a problem's detail: what stood there, and of what type where that is wrong."""
    if value is None:
        return "null"
    if isinstance(value, str):
        text = value if len(value) <= SHOWN else value[:SHOWN] + "…"
        return json.dumps(text, ensure_ascii=False)
    if isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    kind = "a boolean" if isinstance(value, bool) else "a number"
    return f"{json.dumps(value, default=str)[:SHOWN]} ({kind})"


def trace_id(value: object, *, short: bool = False) -> tuple[int, int]:
    """(high, low) of 32 hex digits; with `short` of 1 to 32. Raises Rejected."""
    number = _hex(value, 32, short, "bad-trace-id")
    return number >> 64, number & (2**64 - 1)


def span_id(value: object, *, short: bool = False, reason: str = "bad-span-id") -> int:
    """16 hex digits; with `short` 1 to 16. Raises Rejected."""
    return _hex(value, 16, short, reason)


def parent_id(value: object, *, short: bool = False) -> int:
    """As `span_id`; absent, empty and all-zero mean none (0)."""
    if value is None or value == "" or (isinstance(value, str) and not value.strip("0")):
        return 0
    return _hex(value, 16, short, "bad-parent-id")


def _hex(value: object, digits: int, short: bool, reason: str) -> int:
    if value is None:
        raise Rejected(reason, f"missing; {digits} hex digits are needed")
    if not isinstance(value, str) or not value or not HEX.issuperset(value):
        raise Rejected(reason, f"{shown(value)} is not {digits} hex digits")
    if len(value) > digits or (not short and len(value) != digits):
        raise Rejected(reason, f"{shown(value)} has {len(value)} digits, not {digits}")
    number = int(value, 16)
    if not number:
        raise Rejected(reason, f"{shown(value)} is all zeros")
    return number


def integer(value: object, reason: str = "bad-integer") -> int:
    """An integer written as a number or as a string, within 64 bits. Never rounded."""
    if isinstance(value, str) and len(value) <= 20 and value.isascii():
        sign = value[:1] in ("-", "+")
        if value[sign:].isdigit():
            value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # JSON has one kind of number: 3.0 is 3
    if not isinstance(value, int) or isinstance(value, bool):
        raise Rejected(reason, f"{shown(value)} is not an integer")
    if not -(2**63) <= value < 2**64:
        raise Rejected(reason, f"{shown(value)} is beyond 64 bits")
    return value


def time_ns(value: object) -> tuple[int, int]:
    """(nanoseconds clamped to int64, Quality bits); absent is 0. Raises Rejected."""
    number = _time(value, "nanoseconds")
    return (number, 0) if number <= MAX_NS else (MAX_NS, int(Quality.CLAMPED_TIME))


def time_us(value: object) -> int:
    """Microseconds as nanoseconds, clamped to int64; absent is 0. Raises Rejected."""
    return min(_time(value, "microseconds"), MAX_NS // 1000) * 1000


def _time(value: object, unit: str) -> int:
    if value is None or value == "":
        return 0
    try:
        number = integer(value, "bad-time")
    except Rejected as bad:
        beyond = "beyond" in bad.detail
        hint = "" if beyond else f"; {unit} since 1970 are needed"
        raise Rejected(bad.reason, f"{bad.detail}{hint}") from bad
    if number < 0:
        raise Rejected("bad-time", f"{number} lies before 1970")
    return number


def enum(value: object, names: Mapping[str, int]) -> int:
    """An enum as its number or its name; 0 for a number it does not know. Raises Rejected."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and not value.lstrip("-").isdecimal():
        known = names.get(value.upper())
        if known is None:
            raise Rejected("bad-enum", f"{shown(value)} is no such name; {_right(value, names)}")
        return known
    number = integer(value, "bad-enum")
    return number if 0 <= number < 256 else 0


def _right(value: str, names: Mapping[str, int]) -> str:
    """The name that was meant, or all there are."""
    meant = [name for name in names if name.endswith(f"_{value.upper()}")]
    if len(meant) == 1:
        return f"write {names[meant[0]]} or {shown(meant[0])}"
    return f"write {', '.join(names)} or its number"


def double_text(value: float) -> str:
    """The one way a double is written; not-a-number and the infinities by name."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def plain_text(value: object) -> tuple[str, bool]:
    """(text, whether it is a string) of a plain JSON value; lists and maps as JSON."""
    if isinstance(value, str):
        return value, True
    if isinstance(value, bool):
        return ("true" if value else "false"), False
    if isinstance(value, float):
        return double_text(value), not math.isfinite(value)
    if value is None:
        return "", True
    return (str(value) if isinstance(value, int) else json_text(value)), False


def json_text(value: object) -> str:
    """Compact JSON; not-a-number and the infinities as strings."""
    return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))


def _finite(value: object, depth: int = 0) -> object:
    if depth > MAX_DEPTH:
        return "..."
    if isinstance(value, float) and not math.isfinite(value):
        return double_text(value)
    if isinstance(value, list):
        return [_finite(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(key): _finite(item, depth + 1) for key, item in value.items()}
    return value
