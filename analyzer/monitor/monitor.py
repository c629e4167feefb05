"""One look at the system after the other: what has come, what is due, what is to be told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from analyzer.alerts.engine import Alert, Timing, step
from analyzer.alerts.incident import Incident, incidents
from analyzer.alerts.outbox import Outbox
from analyzer.analysis import Analysis
from analyzer.conformance.declared import NOTHING, Declared
from analyzer.finding import Severity
from analyzer.monitor.checkpoint import Checkpoints, State
from analyzer.monitor.lag import Lag
from analyzer.monitor.remembered import Remembered
from analyzer.monitor.source import Position, Source, StoreSource, Taken
from analyzer.monitor.working_set import Left, Limits, WorkingSet
from analyzer.pipeline import analyze_recording
from collectors import telemetry
from collectors.telemetry import following, stage

SECOND = 1_000_000_000
FETCH_NS = 5 * SECOND  # between two readings of the source for traces that came back


log = logging.getLogger("choreoscope.monitor")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to watch."""

    keys: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    least: Severity = Severity.WARNING
    targets: tuple[str, ...] = ()  # names
    silent_after_ns: int = 0  # alert where no data came for so long; 0 = never
    declared: Declared = NOTHING


@dataclass(frozen=True, slots=True)
class Look:
    """Everything known at one moment; all screens and numbers of it agree."""

    generation: int
    at_ns: int  # wall clock
    analysis: Analysis
    alerts: dict[str, Alert]
    left: Left
    requests: int  # since the start
    spans: int
    spans_per_s: float
    lag_ns: int  # of the slowest service
    behind_s: float  # how long the last look took
    damaged: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    more: bool = False  # not all that is there is in it yet
    gone: dict[tuple[str, str], int] = field(default_factory=dict)  # finished, not in `analysis`


class Monitor:
    """Follows a store, or another source. `look` is one step; `run` takes one each second until
    it is stopped."""

    def __init__(
        self,
        source: Path | Source,
        settings: Settings,
        outbox: Outbox,
        *,
        checkpoints: Checkpoints | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.settings, self._outbox, self._clock = settings, outbox, clock
        self._checkpoints = checkpoints
        kept = checkpoints.load() if checkpoints else None
        self._resumed, state = kept is not None, kept or State(Position())
        self.source: Source = (
            StoreSource(source, state.position) if isinstance(source, Path) else source
        )
        self.working = WorkingSet(settings.limits)
        self.lag = Lag()
        self._alerts = outbox.alerts()
        self._last_data = self._last_look = clock()
        self._resume(state)
        self._fetched = 0
        self._rate = 0.0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self.current: Look | None = None

    def _resume(self, state: State) -> None:
        self._spans = state.spans
        self._returning: set[tuple[int, int]] = set(state.returning)
        self.lag.by_service = dict(state.lag)
        working = self.working
        working.recording = state.recording or working.recording
        working.gone, working.counted = (
            Remembered(hashes=state.gone),
            Remembered(hashes=state.counted),
        )
        working.left.overflow = state.overflow
        working.left.finished = {(name, one): count for name, one, count in state.finished}

    def save(self) -> None:
        """Keep what is held as a checkpoint, where there is a place for it."""
        if self._checkpoints is None or not isinstance(self.source, StoreSource):
            return
        try:
            self._checkpoints.save(self._state(self.source.position()))
        except OSError as error:  # a full disk: the one before still holds
            self._checkpoints.failed()
            log.warning("no checkpoint: %s", error)

    def _state(self, position: Position) -> State:
        left = self.working.left
        return State(
            position=position,
            spans=self._spans,
            finished=tuple((*key, count) for key, count in sorted(left.finished.items())),
            overflow=left.overflow,
            lag=self.lag.by_service,
            returning=tuple(sorted(self._returning)),
            recording=self.working.recording,
            gone=self.working.gone.hashes,
            counted=self.working.counted.hashes,
        )

    def look(self) -> Look:
        """Take in what has come, judge, tell. The same for any split of the input into looks."""
        with stage("look"):
            return self._look()

    def _look(self) -> Look:
        begin = time.monotonic()
        now = self._clock()
        taken = self.source.poll()
        self._take(taken, now)
        if self._resumed and self.current is None and not taken.more:
            # What a restart reads again holds more that is finished than what never stopped: what
            # is usual, and so what is late, would be learned from other instances.
            before = now - SECOND  # when its last look would have been
            self._retire(self._analysis(before), before)
        analysis = self._analysis(now)
        telemetry.note(spans=len(self.working.recording.spans), instances=len(analysis.instances))
        self._retire(analysis, now)
        if not taken.more:  # of a half nothing is told: the other one may be what is missed
            self._tell(analysis, now)
        found = Look(
            generation=self.current.generation + 1 if self.current else 1,
            at_ns=now,
            analysis=analysis,
            alerts=dict(self._alerts),
            left=replace(self.working.left, finished=dict(self.working.left.finished)),
            requests=self.source.requests,
            spans=self._spans,
            spans_per_s=self._rate,
            lag_ns=self.lag.longest_ns,
            behind_s=time.monotonic() - begin,
            damaged=self.source.damaged,
            rejected=dict(self.source.rejected),
            more=taken.more,
            gone=self.working.gone_from(analysis),
        )
        with self._changed:
            self.current = found
            self._changed.notify_all()
        return found

    def wait(self, generation: int, timeout_s: float) -> Look | None:
        """The first look after that generation, or the present one when time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.current is not None and self.current.generation > generation,
                timeout_s,
            )
            return self.current

    def run(self, every_s: float = 1.0) -> None:
        """Look each second; where a look takes longer, rest a fifth of it: to wait only adds to
        what the next one has to take in.
        """
        while not self._stopping.is_set():
            begin = time.monotonic()
            self.look()
            if self._checkpoints is not None and self._checkpoints.due:
                self.save()
            took = time.monotonic() - begin
            if self.current is None or not self.current.more:
                self._stopping.wait(max(every_s - took, min(took / 5, every_s)))
        self.save()

    def stop(self) -> None:
        """End after the present look."""
        self._stopping.set()

    def _take(self, taken: Taken, now: int) -> None:
        parts = taken.parts
        count = sum(len(part.spans) for part in parts)
        passed = max((now - self._last_look) / SECOND, 0.1)
        if self.current is not None and not self.current.more:  # a backlog has no rate
            self._rate = 0.7 * self._rate + 0.3 * count / passed
        self._last_look = now
        self._spans += count
        telemetry.count("choreoscope.spans", count)
        if count:
            self._last_data = now
            if taken.arrived_ns is not None:
                self.lag.learn(parts, taken.arrived_ns)
            self._returning |= self.working.returning(parts)
        if self._returning and now - self._fetched >= FETCH_NS:
            parts = [*parts, *self.source.fetch(self._returning)]
            self.working.back(self._returning)
            self._returning, self._fetched = set(), now
        if parts:
            self.working.add(parts)

    def _retire(self, analysis: Analysis, now: int) -> None:
        self.working.retire(analysis, now, max(2 * SECOND, self.lag.longest_ns))

    def _analysis(self, now: int) -> Analysis:
        with following() as tell:
            return analyze_recording(
                self.working.recording,
                as_of_ns=now,
                keys=self.settings.keys,
                wall_ns=now,
                arrival=self.lag.arrival_ns,
                declared=self.settings.declared,
                progress=tell,
            )

    def _tell(self, analysis: Analysis, now: int) -> None:
        seen = [*incidents(analysis.findings, self.settings.least, now), *self._silence(now)]
        alerts, events = step(
            self._alerts, seen, now, self.settings.timing, self._outbox.silences()
        )
        if alerts != self._alerts or events:
            self._outbox.commit(alerts, events, self.settings.targets)
        self._alerts = alerts

    def _silence(self, now: int) -> Iterable[Incident]:
        """The dead man's switch: no data at all is the worst kind of quiet."""
        still = now - self._last_data
        if self.settings.silent_after_ns and still > self.settings.silent_after_ns:
            yield Incident(
                key="no-data",
                kind="no-data",
                cause="no-data",
                severity=Severity.ERROR,
                workflow="",
                service="",
                step="",
                summary=f"no span has come for {still // SECOND} s",
                instances=0,
                since_ns=self._last_data,
            )
