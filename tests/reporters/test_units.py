"""Times and durations are exact, short and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.reporters.units import (
    count,
    duration,
    parse_duration,
    parse_time,
    percent,
    rfc3339,
)


@given(st.integers(-(2**62), 2**62))
def test_times_read_back_to_the_nanosecond(time_ns: int) -> None:
    text = rfc3339(time_ns)
    assert text is not None
    assert parse_time(text)[0] == time_ns


def test_times_are_trimmed_in_thousands() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1_500_000_000) == "1970-01-01T00:00:01.500Z"
    assert rfc3339(1_000_000_001) == "1970-01-01T00:00:01.000000001Z"
    assert rfc3339(None) is None


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0ns"),
        (1_500, "2µs"),
        (40_000_000, "40ms"),
        (1_234_000_000, "1.23s"),
        (59_990_000_000, "1m"),
        (61_000_000_000, "1m1s"),
        (47 * 60 * 10**9, "47m"),
        (12_660 * 10**9, "3h31m"),
        (52 * 3600 * 10**9, "2d4h"),
        (200 * 86_400 * 10**9, "200d"),
        (-(5 * 10**9), "-5s"),
        (None, "—"),
    ],
)
def test_durations_are_short(ns: int | None, text: str) -> None:
    assert duration(ns) == text


@given(st.integers(0, 2**62))
def test_a_short_duration_is_nearly_the_long_one(ns: int) -> None:
    assert parse_duration(duration(ns)) == pytest.approx(ns, rel=0.06, abs=1_000)


def test_counts_and_shares() -> None:
    assert count(1, "span") == "1 span"
    assert count(1234, "span") == "1,234 spans"
    assert count(2, "entry", "entries") == "2 entries"
    assert percent(0.0001) == "<0.1 %"
    assert percent(0.9999) == ">99.9 %"
    assert percent(0.5) == "50 %"
    assert percent(1) == "100 %"
