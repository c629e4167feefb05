"""The tests that tell a change from chance: known values, symmetry, and how often they err."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.comparison.statistics import (
    Sample,
    adjusted,
    interval,
    quantile_interval,
    same_middle,
    same_share,
    same_tail,
    sample,
)

counts = st.integers(0, 400)


def lognormal(seed: int, n: int, median: float = 1.0, sigma: float = 0.6) -> Sample:
    values = np.random.default_rng(seed).lognormal(math.log(median), sigma, n)
    found = sample(values)
    assert found is not None
    return found


def told(side: Sample) -> Sample:
    """The same as a report has it."""
    return Sample(side.n, side.p50, side.p95)


@given(counts, counts, counts, counts)
def test_the_chance_of_two_shares_has_no_side(a: int, b: int, c: int, d: int) -> None:
    one = same_share(a, a + b, c, c + d)
    assert one == pytest.approx(same_share(c, c + d, a, a + b))
    assert 0 <= one <= 1 + 1e-9


@example(part=0, rest=261)
@given(counts, st.integers(1, 400))
def test_the_interval_holds_its_share(part: int, rest: int) -> None:
    low, high = interval(part, part + rest)
    assert 0 <= low <= part / (part + rest) <= high <= 1


def test_known_values() -> None:
    assert same_share(3, 4, 1, 4) == pytest.approx(0.4857, abs=1e-4)  # Fisher's tea
    assert interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert adjusted([]) == []
    assert same_share(0, 0, 5, 5) == 1.0


@pytest.mark.parametrize("form", [lambda side: side, told])
def test_medians_that_differ_are_seen_and_equal_ones_are_not(form: object) -> None:
    assert callable(form)
    alike = [
        same_middle(form(lognormal(seed, 100)), form(lognormal(seed + 1000, 100)))
        for seed in range(200)
    ]
    assert sum(p < 0.01 for p in alike) <= 6  # 2 expected of 200
    assert same_middle(form(lognormal(1, 100)), form(lognormal(2, 100, median=2))) < 1e-4


def test_a_slow_tail_is_seen_though_the_median_stands() -> None:
    plain, other = lognormal(1, 400), lognormal(2, 400)
    assert other.values is not None
    late = sample(np.append(other.values[:360], np.full(40, 60.0)))
    assert late is not None
    assert same_tail(plain, other) > 0.05
    assert same_tail(plain, late) < 1e-4


def test_too_few_values_say_nothing() -> None:
    few = told(lognormal(1, 19))
    assert same_middle(few, told(lognormal(2, 500, median=50))) == 1.0
    assert same_tail(lognormal(1, 19), lognormal(2, 500, median=50)) == 1.0
    assert sample(np.array([])) is None
    assert same_middle(Sample(50, 0.0, 1.0), Sample(50, 2.0, 3.0)) == 1.0


def test_a_report_is_never_surer_than_the_recording() -> None:
    for seed in range(50):
        one, other = lognormal(seed, 60), lognormal(seed + 500, 60, median=1.5)
        assert same_middle(told(one), told(other)) > same_middle(one, other) / 10


def test_constant_values_are_alike() -> None:
    same = sample(np.full(30, 2.0))
    assert same is not None
    assert same_middle(same, same) == 1.0


def test_the_interval_of_a_quantile_covers_it() -> None:
    """95 % of the time, for a quarter of which the true median is known."""
    inside = 0
    for seed in range(300):
        values = lognormal(seed, 80).values
        assert values is not None
        low, high = quantile_interval(values, 0.5)
        inside += low <= 1.0 <= high
    assert inside >= 270
