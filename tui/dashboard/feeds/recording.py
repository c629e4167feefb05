"""Shows recordings: read once, judged as of their own end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.dashboard.feed import Phase
from tui.dashboard.feeds.made import document, of_analysis
from tui.dashboard.feeds.threaded import FeedError, Threaded

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.conformance.declared import Declared
    from collectors.recording import Intake, Recording


@dataclass(frozen=True, slots=True)
class Judging:
    """How spans become instances, and what these are held against."""

    keys: tuple[str, ...] = ()
    declared: Declared | None = None


class RecordingFeed(Threaded):
    """Files, folders, globs, standard input, stores and simulated systems, each read once."""

    def __init__(self, sources: Sequence[str], judging: Judging = Judging()) -> None:
        super().__init__(named(sources))
        self._sources, self._judging = tuple(sources), judging
        self._analysis: Analysis | None = None

    def instance(self, identifier: str) -> Mapping[str, Any]:
        """One instance as a document."""
        return document(self._analysis, identifier)

    def work(self) -> None:
        """Read, judge, end."""
        self.progress("reading", 0.0)
        recording = self._read()
        analysis = self._analysis = self._judged(recording)
        intake = recording.intake
        self.show(
            of_analysis(analysis),
            phase=Phase.ENDED,
            message=said(intake),
            progress=None,
            dropped=sum(intake.rejected.values()),
        )

    def _read(self) -> Recording:
        from collectors import read
        from collectors.source import SourceError

        try:
            return read(self._sources, progress=self._reading)
        except SourceError as error:
            raise FeedError(str(error)) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise FeedError(f"{place}{error.strerror or error}") from error

    def _reading(self, done: int, total: int) -> None:
        self.progress("reading", min(done / total, 1.0) if total else None)

    def _judged(self, recording: Recording) -> Analysis:
        from analyzer import analyze
        from analyzer.stitching.keys import KeySyntaxError

        try:
            return analyze(
                recording,
                keys=self._judging.keys,
                declared=self._judging.declared,
                progress=lambda stage: self.progress(f"analysing: {stage}"),
            )
        except KeySyntaxError as error:
            raise FeedError(f"--key: {error}") from error


def named(sources: Sequence[str]) -> str:
    """Several sources in few words."""
    more = len(sources) - 1
    name = sources[0].replace("store:", "store ", 1) if sources else "nothing"
    return f"{name} +{more}" if more > 0 else name


def said(intake: Intake) -> str:
    """What was lost while reading, in one line; "" where nothing was."""
    lost = sum(intake.rejected.values())
    if lost:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in intake.rejected.items())
        return f"{lost:,} could not be read: {reasons}"
    return "; ".join(intake.warnings[:1])
