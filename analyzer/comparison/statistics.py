"""Tests that tell a change from chance, on counts of instances and on durations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Z95 = 1.959964
# Below 20 values the 5 % that lie above a p95 are one value: nothing to compare.
MIN_VALUES = 20
# ln(p95 / p50) of a log-normal distribution is 1.645 sigma.
_Z_P95 = 1.645
# Standard error of a median, as a multiple of sigma / sqrt(n) (normal distribution), and half as
# much again, because durations are log-normal only roughly.
_MEDIAN_ERROR = 1.2533 * 1.5
_LEAST_SIGMA = 0.2  # a spread that a report rounded away is not none


@dataclass(frozen=True)
class Sample:
    """Durations or rates, one an instance: all of them sorted, or what a report tells of them."""

    n: int
    p50: float
    p95: float
    values: Floats | None = None


def sample(values: Floats) -> Sample | None:
    """Of all values; None where there are none."""
    if not len(values):
        return None
    ordered = np.sort(values.astype(np.float64))
    p50, p95 = (float(_nearest(ordered, q)) for q in (0.5, 0.95))
    return Sample(len(ordered), p50, p95, ordered)


def _nearest(ordered: Floats, share: float) -> float:
    """A value that occurred, the lower one: what reports give."""
    return float(ordered[math.floor(share * (len(ordered) - 1))])


def same_share(part: int, whole: int, other: int, other_whole: int) -> float:
    """Chance of shares this far apart if both sides are alike: Fisher's exact test, two-sided.

    1 where either side is empty. `part` of `whole` instances, against `other` of `other_whole`.
    """
    from scipy.stats import fisher_exact

    if not whole or not other_whole or part * other_whole == other * whole:
        return 1.0
    table = np.array([[part, whole - part], [other, other_whole - other]])
    return float(fisher_exact(table).pvalue)


def interval(part: int, whole: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; (0, 1) of nothing."""
    if not whole:
        return 0.0, 1.0
    share, square = part / whole, Z95**2
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    spread = share * (1 - share) / whole + square / (4 * whole**2)
    half = Z95 * math.sqrt(spread) / (1 + square / whole)
    # Rounding must not put the share outside its own interval: of 0 of 261 the low end is 9e-19.
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def quantile_interval(values: Floats, share: float) -> tuple[float, float]:
    """The 95 % interval of a quantile by order statistics, whatever the distribution."""
    n = len(values)
    half = Z95 * math.sqrt(n * share * (1 - share))
    low, high = math.floor(n * share - half), math.ceil(n * share + half)
    return float(values[max(low, 0)]), float(values[min(high, n - 1)])


def same_middle(one: Sample, other: Sample) -> float:
    """Chance of samples this far apart if both sides are alike.

    Mann-Whitney on all values; from p50, p95 and n alone a comparison of medians as if the values
    were log-normal. 1 where there are too few.
    """
    if one.values is not None and other.values is not None:
        return _ranks(one.values, other.values)
    if min(one.n, other.n) < MIN_VALUES or min(one.p50, other.p50) <= 0:
        return 1.0
    spread = sum(_sigma(side) ** 2 / side.n for side in (one, other))
    z = abs(math.log(one.p50 / other.p50)) / (_MEDIAN_ERROR * math.sqrt(spread))
    return math.erfc(z / math.sqrt(2))


def _sigma(side: Sample) -> float:
    return max(math.log(max(side.p95 / side.p50, 1.0)) / _Z_P95, _LEAST_SIGMA)


def _ranks(one: Floats, other: Floats) -> float:
    from scipy.stats import mannwhitneyu

    if one[0] == one[-1] == other[0] == other[-1]:
        return 1.0
    return float(mannwhitneyu(one, other, method="auto").pvalue)


def same_tail(one: Sample, other: Sample) -> float:
    """Chance of such a difference of the slowest 5 %: which side has more of what lies above.

    Mood's test at the p95 of both sides together; 1 where there are too few or only a report.
    """
    if one.values is None or other.values is None or min(one.n, other.n) < MIN_VALUES:
        return 1.0
    limit = _nearest(np.sort(np.concatenate([one.values, other.values])), 0.95)
    above = [int(np.count_nonzero(side > limit)) for side in (one.values, other.values)]
    return same_share(above[0], one.n, above[1], other.n)


def adjusted(chances: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg: the q-value of each p-value among all of them, in the same order."""
    from scipy.stats import false_discovery_control

    if not chances:
        return []
    bounded = np.clip(np.asarray(chances, dtype=np.float64), 0.0, 1.0)
    return [float(q) for q in false_discovery_control(bounded, method="bh")]
