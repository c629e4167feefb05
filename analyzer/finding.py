"""A finding: what is wrong, how bad, how sure, since when, and the evidence for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad, in the words of SARIF; `ERROR` fails a gate by default."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return ("error", "warning", "note").index(self.value)


class State(StrEnum):
    """Where a workflow instance stands."""

    STUCK = "stuck"
    FAILED = "failed"
    DEAD_LETTERED = "dead-lettered"
    ORPHANED = "orphaned"  # its beginning is missing
    LATE = "late"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    WAITING = "waiting"
    RUNNING = "running"
    UNKNOWN = "unknown"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """Whose turn it is."""

    service: str | None = None
    step: str | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One possible cause, with what speaks for it and against it."""

    cause: str
    confidence: float  # 0..1
    supports: tuple[str, ...] = ()  # "for" in JSON
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A span that shows it. Ids are hex, as in the trace."""

    trace_id: str
    span_id: str
    role: str  # "sent", "failed", "last-seen", "parent", ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, of one instance or of a group that shares it (`instances` > 1)."""

    kind: str
    severity: Severity
    confidence: float
    message: str  # one sentence for people; holds foreign strings: escape before output
    workflow: str | None = None
    instance: str | None = None  # None where the finding is about a group or the data
    members: tuple[str, ...] = ()  # instance ids of a group, at most 1,000
    instances: int = 1
    trace_ids: tuple[str, ...] = ()
    service: str | None = None  # who has to act
    step: str | None = None  # the last step that was seen
    waiting_for: WaitingFor = WaitingFor()
    since_ns: int | None = None
    deadline_ns: int | None = None
    overdue_s: float | None = None
    causes: tuple[Cause, ...] = ()  # likeliest first
    evidence: tuple[Evidence, ...] = ()
    needs: tuple[str, ...] = ()  # the data that would make it surer
    owner: str | None = None  # of the step, service or workflow, where one is declared

    @property
    def cause(self) -> str:
        """The likeliest cause; `unknown` is an honest verdict."""
        return self.causes[0].cause if self.causes else "unknown"

    @property
    def fingerprint(self) -> str:
        """Identity of the fault across runs: what and where, never when nor which ids."""
        parts = (
            self.kind,
            self.workflow,
            self.instance,
            self.service,
            self.step,
            self.waiting_for.service,
            self.waiting_for.step,
            self.waiting_for.destination,
        )
        text = "\x1f".join(part or "" for part in parts)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Worst first; a total order, so that reports are byte-identical."""
        return (
            self.severity.rank,
            -self.instances,
            -round(self.confidence, 6),
            self.kind,
            self.workflow or "",
            self.since_ns or 0,
            self.instance or "",
            self.message,
        )


@dataclass(frozen=True, slots=True)
class Hotspot:
    """A place of high coupling; `score` is the weighted sum that `parts` shows."""

    kind: str
    services: tuple[str, ...]
    score: float  # 0..1
    parts: dict[str, float]
    message: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A detector that could not judge, and the reason."""

    detector: str
    reason: str
