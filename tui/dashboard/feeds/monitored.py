"""Shows what a monitor sees: one look after the other at a source that goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.dashboard.feed import Phase
from tui.dashboard.feeds.fresh import Fresh
from tui.dashboard.feeds.made import document, of_look
from tui.dashboard.feeds.recording import Judging
from tui.dashboard.feeds.threaded import FeedError, Threaded

if TYPE_CHECKING:
    from analyzer.alerts.outbox import Outbox, Outcome
    from analyzer.monitor.monitor import Look, Monitor, Settings
    from analyzer.monitor.source import Source

REFRESH_S = 1.0
QUIETEST_S = 0.5  # between two snapshots at least


@dataclass(frozen=True, slots=True)
class Watching:
    """How to watch."""

    judging: Judging = field(default_factory=Judging)
    refresh_s: float = REFRESH_S


class MonitorFeed(Threaded):
    """Looks at a source again and again. Nothing is alerted but on the screen."""

    def __init__(self, name: str, watching: Watching, endpoints: tuple[str, ...] = ()) -> None:
        super().__init__(name, endpoints)
        self.watching = watching
        self.generation = 0
        self._monitor: Monitor | None = None
        self._fresh = Fresh()

    def source(self) -> Source:
        """Open the source, in the feed's thread. Raises FeedError."""
        raise NotImplementedError

    def settings(self) -> Settings:
        """How the monitor watches."""
        from analyzer.conformance.declared import NOTHING
        from analyzer.monitor.monitor import Settings

        judging = self.watching.judging
        return Settings(keys=judging.keys, declared=judging.declared or NOTHING)

    def instance(self, identifier: str) -> Mapping[str, Any]:
        """One instance as a document."""
        look = self._monitor.current if self._monitor is not None else None
        return document(look.analysis if look is not None else None, identifier)

    def work(self) -> None:
        """Look until stopped."""
        self.watch(self.source())

    def watch(self, source: Source) -> None:
        """Look at it until stopped."""
        from analyzer.monitor.monitor import Monitor

        with passing_outbox() as outbox:
            monitor = Monitor(source, self.settings(), outbox)
            while not self.stopping.is_set():
                begin = time.monotonic()
                self.listen(outbox)
                look = self._looked(monitor)
                self._monitor = monitor
                self._show(look, outbox)
                if not look.more:
                    self.stopping.wait(self._pause(time.monotonic() - begin))

    def _looked(self, monitor: Monitor) -> Look:
        from analyzer.stitching.keys import KeySyntaxError

        try:
            return monitor.look()
        except KeySyntaxError as error:
            raise FeedError(f"--key: {error}") from error

    def _pause(self, took: float) -> float:
        """So that half of one core is enough."""
        every = max(self.watching.refresh_s, QUIETEST_S)
        return max(every - took, min(took, every))

    def _show(self, look: Look, outbox: Outbox) -> None:
        self.generation += 1
        phase, message = self.phase(look)
        self.show(
            replace(
                of_look(look, outbox, self.generation),
                deliveries=tuple(self.deliveries(outbox)),
            ),
            phase=phase,
            message=message,
            progress=None,
            spans_per_s=look.spans_per_s,
            lag_s=look.lag_ns / 1e9,
            dropped=self.lost(look),
        )

    def listen(self, outbox: Outbox) -> None:
        """Before each look: what others have decided on alerts."""

    def deliveries(self, outbox: Outbox) -> Sequence[Outcome]:
        """What was told, newest first."""
        return outbox.log()

    def lost(self, look: Look) -> int:
        """Spans that were not taken since the start."""
        return sum(look.rejected.values()) + look.damaged

    def phase(self, look: Look) -> tuple[Phase, str]:
        """How it goes, and what there is to say."""
        latest = look.analysis.recording.spans["end_ns"].max()
        self._fresh.seen(look.spans, latest if isinstance(latest, int) else 0, look.at_ns)
        if look.more:
            return Phase.LOADING, f"{look.spans:,} spans read"
        phase, said = self._fresh.phase(look.at_ns)
        return phase, said or self.remark()

    def remark(self) -> str:
        """What there is to say while all is well."""
        return ""


@contextmanager
def passing_outbox() -> Iterator[Outbox]:
    """Alerts are kept as long as the screen stands, and told to nobody."""
    from tempfile import TemporaryDirectory

    from analyzer.alerts.outbox import Outbox

    with TemporaryDirectory(prefix="choreoscope-", ignore_cleanup_errors=True) as folder:
        outbox = Outbox(Path(folder) / "alerts.db")
        try:
            yield outbox
        finally:
            outbox.close()
