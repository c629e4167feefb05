"""What must be told, kept on disk until it was: decisions and deliveries in one transaction.

SQLite with synchronous=FULL: an event that was decided on is delivered at least once, also where
the process ends between the decision and the delivery.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from analyzer.alerts.engine import Alert, Event
from analyzer.alerts.silences import Silence

FIRST_PAUSE_NS = 1_000_000_000
LONGEST_PAUSE_NS = 300_000_000_000
GIVE_UP_NS = 24 * 3600 * 1_000_000_000  # an alert that old helps nobody

_TABLES = """
create table if not exists alerts (key text primary key, alert blob not null);
create table if not exists silences (id text primary key, silence blob not null);
create table if not exists outbox (
  id integer primary key autoincrement, target text not null, key text not null,
  event blob not null, created_ns integer not null, due_ns integer not null,
  attempts integer not null default 0, error text not null default '');
create index if not exists due on outbox (target, due_ns);
create table if not exists log (
  id integer primary key autoincrement, at_ns integer not null, target text not null,
  key text not null, change text not null, outcome text not null, detail text not null);
"""
LOG_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event that one target has to be told."""

    id: int
    target: str
    event: Event
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery, for the log."""

    at_ns: int
    target: str
    key: str
    change: str
    outcome: str  # delivered, again, given-up, refused
    detail: str


class OutboxError(Exception):
    """The file of the alerts cannot be used."""


class Outbox:
    """The alerts and what is to be told of them, in one file. Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises OutboxError."""
        self._lock = threading.Lock()
        try:
            self._base = _opened(path)
        except sqlite3.OperationalError as error:  # a full disk, no permission, another's lock
            raise OutboxError(f"{path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            hint = "move it away; what was told and silenced is forgotten then"
            raise OutboxError(f"{path} is damaged: {error}; {hint}") from error
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def alerts(self) -> dict[str, Alert]:
        """All alerts that are pending or firing, by key."""
        rows = self._rows("select key, alert from alerts")
        return {key: msgspec.json.decode(text, type=Alert) for key, text in rows}

    def commit(
        self, alerts: dict[str, Alert], events: Sequence[Event], targets: Iterable[str]
    ) -> None:
        """Keep the alerts after a step, and what every target must be told of it."""
        kept = [(key, msgspec.json.encode(alert)) for key, alert in sorted(alerts.items())]
        rows = [
            (target, event.alert.incident.key, msgspec.json.encode(event), event.at_ns, event.at_ns)
            for target in targets
            for event in events
        ]
        with self._lock:
            self._base.execute("begin immediate")
            try:
                self._base.execute("delete from alerts")
                self._base.executemany("insert into alerts values (?, ?)", kept)
                self._base.executemany(
                    "insert into outbox (target, key, event, created_ns, due_ns)"
                    " values (?, ?, ?, ?, ?)",
                    rows,
                )
                self._base.execute("commit")
            except BaseException:
                self._base.execute("rollback")
                raise

    def due(self, target: str, now_ns: int, most: int) -> list[Delivery]:
        """What that target must be told now, in the order it was decided."""
        rows = self._rows(
            "select id, event, attempts from outbox where target = ? and due_ns <= ? "
            "order by id limit ?",
            (target, now_ns, most),
        )
        return [
            Delivery(number, target, msgspec.json.decode(text, type=Event), attempts)
            for number, text, attempts in rows
        ]

    def waiting(self) -> dict[str, int]:
        """How many deliveries wait, by target."""
        return dict(self._rows("select target, count(*) from outbox group by target"))

    def delivered(self, deliveries: Sequence[Delivery], now_ns: int) -> None:
        """They were told."""
        self._done(deliveries, now_ns, "delivered", "")

    def refused(self, deliveries: Sequence[Delivery], now_ns: int, detail: str) -> None:
        """They will never be taken: sending them again changes nothing."""
        self._done(deliveries, now_ns, "refused", detail)

    def again(
        self, deliveries: Sequence[Delivery], now_ns: int, detail: str, after_ns: int = 0
    ) -> None:
        """Try again later: at the earliest after `after_ns`, with growing pauses."""
        old = [one for one in deliveries if now_ns - one.event.at_ns > GIVE_UP_NS]
        self._done(old, now_ns, "given-up", detail)
        kept = [one for one in deliveries if one not in old]
        with self._lock:
            self._base.executemany(
                "update outbox set attempts = attempts + 1, due_ns = ?, error = ? where id = ?",
                [(now_ns + max(after_ns, pause(one.attempts)), detail, one.id) for one in kept],
            )
        self._log(kept, now_ns, "again", detail)

    def forget(self, deliveries: Sequence[Delivery]) -> None:
        """They are not to be told any more."""
        with self._lock:
            ids = [(one.id,) for one in deliveries]
            self._base.executemany("delete from outbox where id = ?", ids)

    def silences(self) -> list[Silence]:
        """All silences, also those that have ended."""
        rows = self._rows("select silence from silences order by id")
        return [msgspec.json.decode(text, type=Silence) for (text,) in rows]

    def silence(self, silence: Silence) -> None:
        """Add a silence, or change the one of that id."""
        with self._lock:
            self._base.execute(
                "insert or replace into silences values (?, ?)",
                (silence.id, msgspec.json.encode(silence)),
            )

    def unsilence(self, name: str, now_ns: int) -> bool:
        """End a silence; it stays in the list. False where none of that id is in force."""
        for found in self.silences():
            if found.id == name and found.until_ns > now_ns:
                self.silence(replace(found, until_ns=now_ns))
                return True
        return False

    def log(self, most: int = 200) -> list[Outcome]:
        """The latest deliveries, newest first."""
        rows = self._rows(
            "select at_ns, target, key, change, outcome, detail from log order by id desc limit ?",
            (most,),
        )
        return [Outcome(*row) for row in rows]

    def last_delivered(self, target: str) -> int:
        """When that target was told last, Unix nanoseconds; 0 where never."""
        rows = self._rows(
            "select max(at_ns) from log where target = ? and outcome = 'delivered'", (target,)
        )
        return int(rows[0][0] or 0)

    def _done(self, deliveries: Sequence[Delivery], now: int, outcome: str, detail: str) -> None:
        self.forget(deliveries)
        self._log(deliveries, now, outcome, detail)

    def _log(self, deliveries: Sequence[Delivery], now: int, outcome: str, detail: str) -> None:
        rows = [
            (now, one.target, one.event.alert.incident.key, one.event.change, outcome, detail[:500])
            for one in deliveries
        ]
        with self._lock:
            self._base.executemany(
                "insert into log (at_ns, target, key, change, outcome, detail)"
                " values (?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._base.execute(
                "delete from log where id <= (select max(id) from log) - ?", (LOG_ROWS,)
            )

    def _rows(self, query: str, given: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            return self._base.execute(query, given).fetchall()


def pause(attempts: int) -> int:
    """Nanoseconds until the next attempt: doubled each time, with a jitter of a quarter."""
    base = min(FIRST_PAUSE_NS << min(attempts, 20), LONGEST_PAUSE_NS)
    return int(base * random.uniform(0.75, 1.25))


def _opened(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        base.execute("pragma journal_mode=wal")
        base.execute("pragma synchronous=full")
        base.executescript(_TABLES)
    except sqlite3.Error:
        base.close()
        raise
    return base
