"""How a hotspot gets its score, and from how much data on anything is said at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from analyzer.finding import Hotspot

# Shares and rates need this many instances: below 20 the 95 % Wilson interval of a share of one
# half is wider than +-0.2, so that "most" and "few" cannot be told apart.
MIN_INSTANCES = 20
# That an edge exists is certain from one instance, that it belongs to the system is not: twice
# may be one retry or one manual repair, three times is a way that is taken.
MIN_EDGE_INSTANCES = 3
MAX_A_KIND = 5  # more of one kind are one problem, said often
MAX_HOTSPOTS = 20


def hotspot(
    kind: str,
    services: tuple[str, ...],
    parts: Mapping[str, tuple[float, float]],
    message: str,
) -> Hotspot:
    """A hotspot from its parts, each (weight, value 0..1); the weights of a kind add up to 1.

    `Hotspot.parts` holds weight x value, so that the parts add up to the score.
    """
    shown = {
        name: round(weight * min(max(value, 0.0), 1.0), 4)
        for name, (weight, value) in parts.items()
    }
    return Hotspot(kind, services, round(sum(shown.values()), 4), shown, message)


def share(part: float, whole: float) -> float:
    """part / whole, 0 where there is no whole."""
    return part / whole if whole else 0.0


def percent(value: float) -> str:
    """A share for people."""
    return f"{100 * value:.0f} %"


def middle(values: pl.Series) -> float:
    """The median of a numeric series; 0 where it is empty."""
    ordered = values.drop_nulls().cast(pl.Float64).to_numpy()
    return float(np.median(ordered)) if len(ordered) else 0.0
