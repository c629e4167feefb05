"""Shows a simulated shop that runs now, with faults."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.dashboard.feed import Phase
from tui.dashboard.feeds.monitored import MonitorFeed, Watching

if TYPE_CHECKING:
    from analyzer.monitor.monitor import Look, Settings
    from analyzer.monitor.source import Source, Taken, Traces
    from collectors.canonical import Part
    from collectors.recording import Recording
    from collectors.simulate.live import Live

NAME = "demo: a simulated shop"
RATE = 2.0  # orders a second
DAYS = 30  # that it goes on
FASTEST = 50.0
HISTORY = 400  # orders that have come before it begins: what is usual is learned from them
HISTORY_S = 60.0  # ... and at least so long, for what takes its time
FAULTS = (
    "lost:0.02,crash:0.01,handler-error:0.015,dead-letter:0.01,late:0.02,retry-storm:0.005,"
    "duplicate:0.01,send-failed:0.005,compensated:0.02,no-compensation:0.005,"
    "broken-propagation:0.02"
)
# system, orders of it for one of the shop's, faults, wait before each delivery
SHOP = (
    ("electronics", 1.0, FAULTS, "1.2s"),
    ("login", 0.5, "handler-error:0.02,hang:0.005", ""),
)
# What is shown first, while the rest of the history is still being made: few orders, many faults.
# Several systems: each breaks the context at one place, which may be joined by something else.
OPENINGS, OPENING, OPENING_S = 3, 5, 60
DRAWN_S = 0.3  # in which the screen has the processor for itself, to draw the opening
OPENING_FAULTS = "handler-error:0.1,dead-letter:0.05,broken-propagation:0.4,lost:0.1,late:0.2"
APART = 1 << 40  # beyond every seed that can be given: the opening is of another one
ALERT_AFTER_NS = 5_000_000_000  # nobody wants to wait for the first alert of a demonstration
CLOSED_NS = 600_000_000_000  # what failed is shown so long
LEARNED = 10_000  # spans
MOST = 300_000  # spans


def scenarios(seed: int, rate: float) -> list[str]:
    """The shop, as URIs of scenarios that start `rate` orders a second."""
    found = []
    for system, share, faults, gap in SHOP:
        count = max(1, round(rate * share * 86_400 * DAYS))
        waits = f"&gap={gap}" if gap else ""
        length = f"{86_400 * DAYS}s"
        uri = f"sim:{system}?instances={count}&seed={seed}&length={length}&faults={faults}{waits}"
        found.append(uri)
    return found


def opening(seed: int) -> list[str]:
    """Some orders of the last minute, as URIs of scenarios."""
    system, _, _, gap = SHOP[0]
    rest = f"length={OPENING_S}s&faults={OPENING_FAULTS}&gap={gap}"
    seeds = (seed + (number + 1) * APART for number in range(OPENINGS))
    return [f"sim:{system}?instances={OPENING}&seed={each}&{rest}" for each in seeds]


class Shop:
    """The shop's spans as a source of a monitor: the opening, then history and presence."""

    damaged = 0

    def __init__(self, seed: int, rate: float, now_ns: int) -> None:
        self._seed, self._rate, self._now = seed, rate, now_ns
        self._live: list[Live] = []
        self._polls = 0
        self.requests = 0

    @property
    def rejected(self) -> Mapping[str, int]:
        """Nothing is."""
        return {}

    def poll(self) -> Taken:
        """What has happened since the last call; at first the opening, then the history."""
        from analyzer.monitor.source import Taken

        if self._polls == 0:
            self._open(opening(self._seed), OPENING_S)
        elif self._polls == 1:
            time.sleep(DRAWN_S)
            self.begin()
        now = time.time_ns()
        self._polls += 1
        parts = self.until(now)
        self.requests += bool(parts)
        return Taken(parts, now if self._polls > 2 else None, more=self._polls == 1)

    def begin(self) -> None:
        """Open what has been open for a while, and stays so."""
        self._open(scenarios(self._seed, self._rate), max(HISTORY / self._rate, HISTORY_S))

    def _open(self, uris: Sequence[str], ago_s: float) -> None:
        from collectors.simulate.live import Live
        from collectors.simulate.scenario import parse

        begin = self._now - round(ago_s * 1e9)
        self._live += [Live(parse(uri), begin) for uri in uris]

    def until(self, now_ns: int) -> list[Part]:
        """The spans that have arrived since the last call."""
        return [part for live in self._live for part in live.until(now_ns)]

    def fetch(self, wanted: Traces) -> Sequence[Part]:
        """Nothing is kept."""
        return ()


class DemoFeed(MonitorFeed):
    """The shop, live."""

    def __init__(
        self,
        seed: int = 1,
        rate: float = RATE,
        watching: Watching = Watching(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(NAME, watching)
        self._seed, self._rate = seed, rate

    def source(self) -> Source:
        """Open the shop."""
        return Shop(self._seed, self._rate, time.time_ns())

    def settings(self) -> Settings:
        """Little is kept, so that it costs little; alerts come soon."""
        from analyzer.alerts.engine import Timing
        from analyzer.monitor.working_set import Limits

        limits = Limits(closed_ns=CLOSED_NS, history=LEARNED, spans=MOST)
        return replace(super().settings(), limits=limits, timing=Timing(wait=ALERT_AFTER_NS))

    def phase(self, look: Look) -> tuple[Phase, str]:
        """The shop never closes."""
        return Phase.LIVE, ""


def recording(seed: int) -> tuple[Recording, int]:
    """(the history of the shop at a time that is always the same, that time in nanoseconds)."""
    from collectors.assemble import assemble
    from collectors.recording import Intake
    from collectors.simulate.world import EPOCH_NS

    now = EPOCH_NS + round(HISTORY / RATE * 1e9)
    shop = Shop(seed, RATE, now)
    shop.begin()
    return assemble(shop.until(now), Intake(sources=(NAME,))), now
