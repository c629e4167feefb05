"""Shows a file or folder: as `analyze` does while nothing comes, live while something does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.dashboard.feed import Phase
from tui.dashboard.feeds.made import document, of_analysis
from tui.dashboard.feeds.monitored import MonitorFeed, Watching
from tui.dashboard.feeds.recording import analysis_of, named, recording_of, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.analysis import Analysis
    from analyzer.monitor.monitor import Look
    from analyzer.monitor.source import Source, Taken, Traces
    from collectors.canonical import Part
    from collectors.growing import Growing

RECENT_NS = 600_000_000_000  # spans that have ended within it belong to a system that runs


class GrowingFeed(MonitorFeed):
    """Where the latest spans are recent, the clock is "now" and what is new is followed.

    Older ones are a recording: judged as of its own end, and read again where it changes.
    """

    def __init__(self, place: Path, watching: Watching = Watching()) -> None:  # noqa: B008 - frozen
        super().__init__(named([str(place)]), watching)
        self._place = place
        self._analysis: Analysis | None = None
        self._growing: Growing | None = None

    def instance(self, identifier: str) -> Mapping[str, Any]:
        """One instance as a document."""
        if self._growing is not None:
            return super().instance(identifier)
        return document(self._analysis, identifier)

    def work(self) -> None:
        """Show the recording until it lives, then follow it."""
        before = None
        while not self.stopping.is_set():
            state = _state(self._place)
            if state != before:
                if self._lives():
                    self.watch(self.source())
                    return
                before = state  # what is written while it is read is seen next time
            self.stopping.wait(self.watching.refresh_s)

    def source(self) -> Source:
        """Follow it from its beginning."""
        from collectors.growing import Growing

        self._growing = Growing(self._place)
        return Followed(self._growing)

    def phase(self, look: Look) -> tuple[Phase, str]:
        """How far the reading is."""
        phase, message = super().phase(look)
        growing = self._growing
        if phase is Phase.LOADING and growing is not None:
            message = f"{growing.done >> 20:,} of {growing.total >> 20:,} MiB read"
        return phase, message

    def _lives(self) -> bool:
        """Whether its spans are recent; shows it as a recording where they are not."""
        recording = recording_of([str(self._place)], self.progress)
        latest = recording.spans["end_ns"].max()
        if isinstance(latest, int) and time.time_ns() - latest < RECENT_NS:
            return True
        analysis = self._analysis = analysis_of(recording, self.watching.judging, self.progress)
        self.generation += 1
        self.show(
            of_analysis(analysis, self.generation),
            phase=Phase.ENDED if len(recording.spans) else Phase.LIVE,
            message=said(recording.intake),
            progress=None,
            dropped=sum(recording.intake.rejected.values()),
        )
        return False


class Followed:
    """What grows, as a source of a monitor."""

    damaged = 0

    def __init__(self, growing: Growing) -> None:
        self._growing = growing
        self._begun = False

    @property
    def requests(self) -> int:
        """Stretches and files that were read."""
        return self._growing.reads

    @property
    def rejected(self) -> Mapping[str, int]:
        """By reason."""
        return self._growing.rejected

    def poll(self) -> Taken:
        """What has been written since the last call."""
        from analyzer.monitor.source import Taken

        grown = self._growing.poll()
        arrived = time.time_ns() if self._begun else None
        self._begun = self._begun or not grown.more
        return Taken(grown.parts, arrived, grown.more)

    def fetch(self, wanted: Traces) -> Sequence[Part]:
        """From the files."""
        return self._growing.fetch(wanted)


def _state(place: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells whether something was written: names, sizes and times of the files."""
    from collectors.growing import present

    return tuple(
        (str(entry.path), status.st_size, status.st_mtime_ns) for entry, status in present(place)
    )
