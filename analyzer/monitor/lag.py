"""How long after their end the spans of each service arrive."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from collectors.canonical import Part

SECOND = 1_000_000_000
LEAST_NS = SECOND // 5
MOST_NS = 60 * SECOND
FADE = 0.9  # of what was learned before, with each look


class Lag:
    """The 95th percentile of the delay, by service; it rises at once and falls slowly."""

    def __init__(self) -> None:
        self.by_service: dict[str, float] = {}

    def learn(self, parts: Sequence[Part], now_ns: int) -> None:
        """Spans that have just come."""
        for part in parts:
            service = pl.col("service").cast(pl.String).fill_null("")
            delays = part.spans.select(service, delay=now_ns - pl.col("end_ns"))
            usual = delays.group_by("service").agg(pl.col("delay").quantile(0.95))
            for name, delay in usual.iter_rows():
                bounded = min(max(float(delay), LEAST_NS), MOST_NS)
                before = self.by_service.get(name, bounded)
                self.by_service[name] = max(bounded, before * FADE + bounded * (1 - FADE))

    @property
    def usual_ns(self) -> int:
        """The delay that most services keep: the median of theirs."""
        delays = sorted(self.by_service.values())
        return int(delays[len(delays) // 2]) if delays else LEAST_NS

    @property
    def arrival_ns(self) -> dict[str, int]:
        """The delay of each service, and of services not seen yet under ""."""
        return {"": self.usual_ns} | {name: int(one) for name, one in self.by_service.items()}

    @property
    def longest_ns(self) -> int:
        """The delay of the slowest service."""
        return int(max(self.by_service.values(), default=LEAST_NS))
