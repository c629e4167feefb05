"""Tells, when a source has been read, traces from damaged traces and from files of another kind."""

from __future__ import annotations

from dataclasses import dataclass

from collectors.decoders.documents import OTLP_OTHERS, UNKNOWN
from collectors.foreign import Foreign, by_content
from collectors.formats import Format, is_json, mentions_traces
from collectors.framing import Framing
from collectors.ledger import Ledger, Where
from collectors.source import Source

NAMED = 4  # files of another kind that the warning names
SKIPPED = "other-files"
NOT_FILES = "no-files"
REASON = "unknown-format"
# Reasons that a file of another kind gives too; any other says that a trace file is damaged.
_SOFT = {UNKNOWN, "invalid-json", "nested-too-deep"}
_NO_SPANS = {"bad-trace-id", "bad-span-id"}  # what metrics and logs are, read as spans


@dataclass(slots=True)
class Seen:
    """What a source showed while it was read."""

    source: Source
    head: bytes = b""  # how it begins
    kind: Format | Framing = Format.EMPTY  # what that was taken for
    spans: int = 0  # how many it gave at once
    foreign: Foreign | None = None  # what it, or its first unknown document, looks like


class Sieve:
    """The account of a whole reading, to which that of each source is added or not."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._others: list[str] = []
        self._obstacles: list[str] = []

    def obstacle(self, source: Source) -> None:
        """Tell of what stands in a folder and cannot be read."""
        if source.lost:
            self.ledger.reject(Where(source.name), "unreadable", source.obstacle)
        else:
            self.ledger.skipped[NOT_FILES] += 1
            self._obstacles.append(f"{source.name} ({source.obstacle})")

    def settle(self, seen: Seen, account: Ledger) -> None:
        """Add the account of a source that has been read."""
        other = None if seen.spans else _foreign(seen, account)
        if other is None:
            if seen.source.chosen and not (seen.spans or account.rejected or account.formats):
                what = "holds no spans" if seen.head.strip() else "is empty"
                account.warn(f"{seen.source.name} {what}")
            self.ledger.merge(account)
            return
        self._foreign(seen.source, other)
        for name in set(OTLP_OTHERS.values()) & set(account.skipped):
            self.ledger.skipped[name] += account.skipped[name]

    def _foreign(self, source: Source, other: Foreign) -> None:
        """A file of another kind: an error where the user named it, else left out."""
        if source.chosen:
            self.ledger.reject(Where(source.name), REASON, other.message)
        else:
            self.ledger.skipped[SKIPPED] += 1
            self._others.append(f"{source.name} ({other.what})")

    def finish(self) -> None:
        """Say what was left out."""
        for names, what in ((self._others, "hold no traces"), (self._obstacles, "are no files")):
            if names:
                self.ledger.warn(_sentence(sorted(names), what))


def _sentence(names: list[str], what: str) -> str:
    """`skipped 3 files that hold no traces: a, b, c`."""
    more = len(names) - NAMED
    shown = ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
    if what == "are no files":
        return f"skipped {shown}"
    noun = "1 file that holds" if len(names) == 1 else f"{len(names):,} files that hold"
    return f"skipped {noun} no traces: {shown}"


def _foreign(seen: Seen, account: Ledger) -> Foreign | None:
    """What the source is if it is of another kind: nothing in it was a trace, nor a damaged one."""
    reasons = set(account.rejected)
    if isinstance(seen.kind, Framing):
        another = bool(reasons) and reasons <= _NO_SPANS
        return Foreign("OTLP protobuf of another signal", _SIGNAL) if another else None
    if seen.kind is not Format.TEXT:
        return seen.foreign
    if account.formats or not reasons <= _SOFT:
        return None
    signals = sorted(set(OTLP_OTHERS.values()) & set(account.skipped))
    if signals and not reasons:
        return Foreign(f"OTLP {' and '.join(signals)}", _SIGNAL)
    return _foreign_text(seen, reasons)


def _foreign_text(seen: Seen, reasons: set[str]) -> Foreign | None:
    if seen.foreign is not None and (not reasons or reasons == {UNKNOWN}):
        return seen.foreign
    if not reasons or mentions_traces(seen.head):
        return None
    if seen.foreign is not None:
        return seen.foreign
    if is_json(seen.head):  # the user wants to know where a file that they named breaks
        return None if seen.source.chosen else Foreign("JSON that breaks off")
    return by_content(seen.head)


_SIGNAL = "name the file that the traces pipeline writes"
