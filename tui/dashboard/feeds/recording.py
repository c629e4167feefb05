"""Shows recordings: read once, judged as of their own end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.dashboard.feed import Phase
from tui.dashboard.feeds.made import document, of_analysis
from tui.dashboard.feeds.threaded import FeedError, Threaded

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.conformance.declared import Declared
    from collectors.recording import Intake, Recording

Tell = Callable[[str, float | None], None]  # what is done, and how much of it


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
        recording = recording_of(self._sources, self.progress)
        self._analysis = analysis_of(recording, self._judging, self.progress)
        intake = recording.intake
        self.show(
            of_analysis(self._analysis),
            phase=Phase.ENDED,
            message=said(intake),
            progress=None,
            dropped=sum(intake.rejected.values()),
        )


def recording_of(sources: Sequence[str], tell: Tell) -> Recording:
    """Read the sources. Raises FeedError."""
    from collectors import read
    from collectors.source import SourceError

    def reading(done: int, total: int) -> None:
        tell("reading", min(done / total, 1.0) if total else None)

    tell("reading", 0.0)
    try:
        return read(sources, progress=reading)
    except SourceError as error:
        raise FeedError(str(error)) from error
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise FeedError(f"{place}{error.strerror or error}") from error


def analysis_of(recording: Recording, judging: Judging, tell: Tell) -> Analysis:
    """Judge it as of its own end. Raises FeedError."""
    from analyzer import analyze
    from analyzer.stitching.keys import KeySyntaxError

    try:
        return analyze(
            recording,
            keys=judging.keys,
            declared=judging.declared,
            progress=lambda stage: tell(f"analysing: {stage}", None),
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
