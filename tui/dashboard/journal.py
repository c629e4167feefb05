"""What the tool itself has to say, as it came: of its source, of the data, of its own limits."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tui.dashboard.feed import Phase, Status
from tui.dashboard.unsaid import among

if TYPE_CHECKING:
    from analyzer.analysis import DataNote
    from tui.dashboard.feed import Snapshot

MOST = 5_000  # entries kept
QUIET_NS = 10 * 1_000_000_000  # between two tellings of what is lost
LEVELS: dict[Phase, Level] = {
    Phase.STALE: "warning",
    Phase.DISCONNECTED: "error",
    Phase.FAILED: "error",
}

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. The message holds foreign strings."""

    number: int
    at_ns: int
    level: Level
    about: str  # source, lost, data, key, alert, deliveries
    message: str


class Journal:
    """Entries, oldest first; what does not change is not said again. Safe in any thread."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=MOST)
        self._lock = threading.Lock()
        self._number = 0
        self._status: Status | None = None
        self._lost = (0, 0)  # how many were told, when
        self._overflow = 0
        self._known: dict[tuple[str, ...], str] = {}
        self._delivered_ns = -1
        self._shown: Snapshot | None = None

    @property
    def version(self) -> int:
        """Grows with each entry."""
        return self._number

    @property
    def entries(self) -> Sequence[Entry]:
        """Those that are kept."""
        with self._lock:
            return tuple(self._entries)

    def note(self, level: Level, about: str, message: str, at_ns: int | None = None) -> None:
        """One more entry."""
        with self._lock:
            self._number += 1
            at = self._clock() if at_ns is None else at_ns
            self._entries.append(Entry(self._number, at, level, about, message))

    def status(self, status: Status) -> None:
        """The present status of the feed; told where its phase or its trouble is another."""
        before, self._status = self._status, status
        if status is before:
            return
        if before is None or before.phase is not status.phase:
            told = f"{status.source}: {status.phase.value}"
            said = f": {status.message}" if status.message else ""
            self.note(LEVELS.get(status.phase, "note"), "source", told + said)
            if before is None:
                for endpoint in status.endpoints:
                    self.note("note", "source", f"listens: {endpoint}")
        elif before.message != status.message and status.phase is not Phase.LOADING:
            self._remark(status)
        self._dropped(status.dropped)

    def _remark(self, status: Status) -> None:
        """Numbers in a message run on: they are not told each second."""
        plain = _without_numbers(status.message)
        if status.message and self._known.get(("remark",)) != plain:
            self._known[("remark",)] = plain
            self.note(LEVELS.get(status.phase, "note"), "source", status.message)

    def _dropped(self, dropped: int) -> None:
        told, at = self._lost
        now = self._clock()
        if dropped > told and (not told or now - at >= QUIET_NS):
            self._lost = (dropped, now)
            more = f"{dropped - told:,} more spans" if told else f"{dropped:,} spans"
            said = f"{more} were refused, rejected or forgotten; {dropped:,} in all"
            self.note("warning", "lost", said, now)

    def snapshot(self, snapshot: Snapshot) -> None:
        """What a snapshot says of the data that is new, or gone."""
        if snapshot is self._shown:
            return
        self._shown = snapshot
        at = snapshot.at_ns
        self._notes("data", snapshot.data_notes, at)
        self._notes("key", snapshot.key_suggestions, at)
        self._leaves_out(snapshot)
        if snapshot.overflow > self._overflow:
            given_up = snapshot.overflow - self._overflow
            said = f"{given_up:,} instances were given up for want of memory"
            self.note("error", "lost", said, at)
        self._overflow = snapshot.overflow
        self._deliveries(snapshot)

    def _notes(self, about: str, notes: Sequence[DataNote], at_ns: int) -> None:
        found: dict[tuple[str, ...], DataNote] = {
            (about, note.kind, _without_numbers(note.message)): note for note in notes
        }
        gone = [key for key in self._known if key[0] == about and key not in found]
        for key, note in found.items():
            if key not in self._known:
                level: Level = "warning" if about == "data" and note.share != 0 else "note"
                self.note(level, about, f"{note.kind}: {note.message}", at_ns)
            self._known[key] = note.message
        for key in gone:
            self.note("note", about, f"no longer: {key[1]}: {self._known.pop(key)}", at_ns)

    def _leaves_out(self, snapshot: Snapshot) -> None:
        """What a server of another version does not say; told once."""
        unsaid = among(snapshot.unsaid)
        if unsaid and self._known.get(("unsaid",)) != unsaid:
            self.note("warning", "source", f"this server does not say: {unsaid}", snapshot.at_ns)
        self._known[("unsaid",)] = unsaid

    def _deliveries(self, snapshot: Snapshot) -> None:
        """Alerts that could not be told."""
        new = [one for one in snapshot.deliveries if one.at_ns > self._delivered_ns]
        for one in sorted(new, key=lambda one: (one.at_ns, one.target, one.key)):
            if one.outcome != "delivered":
                level: Level = "warning" if one.outcome == "again" else "error"
                said = f"{one.target}: {one.change} {one.outcome}: {one.detail}"
                self.note(level, "alert", said, one.at_ns)
        self._delivered_ns = max((one.at_ns for one in new), default=self._delivered_ns)


def _without_numbers(text: str) -> str:
    """What stays the same while numbers and examples in brackets run on."""
    return re.sub(r"[0-9][0-9.,]*", "#", re.sub(r"\([^()]*\)", "", text))
