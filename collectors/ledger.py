"""Counts what was lost while reading, and remembers where the first losses of each kind stood."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from collectors.recording import Intake, Problem

MAX_PROBLEMS = 100  # of each reason
MAX_DETAIL = 200  # characters; a detail quotes what was there


@dataclass(slots=True)
class Ledger:
    """The running account of one reading."""

    rejected: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    problems: dict[str, dict[Problem, int]] = field(default_factory=dict)  # how often each
    formats: list[str] = field(default_factory=list)

    def reject(self, where: Where, reason: str, detail: str, count: int = 1) -> None:
        """Count something that was lost, and keep its place."""
        self.rejected[reason] += count
        self.note(where, reason, detail)

    def reject_each(self, where: Where, reason: str, detail: str, count: int) -> None:
        """Count things that were lost at one place for the same cause."""
        self.rejected[reason] += count
        self.note(where, reason, detail, count)

    def note(self, where: Where, reason: str, detail: str, count: int = 1) -> None:
        """Keep the place of something that was wrong but cost no span; the same place once."""
        known = self.problems.setdefault(reason, {})
        problem = Problem(where.source, where.line, reason, detail[:MAX_DETAIL])
        if problem in known or len(known) < MAX_PROBLEMS:
            known[problem] = known.get(problem, 0) + count

    def warn(self, text: str) -> None:
        """Say something once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def format(self, name: str) -> None:
        """Remember that this format was met."""
        if name not in self.formats:
            self.formats.append(name)

    def merge(self, other: Ledger) -> None:
        """Add another account, such as a worker's."""
        self.rejected.update(other.rejected)
        self.skipped.update(other.skipped)
        for reason, problems in other.problems.items():
            for problem, count in problems.items():
                self.note(Where(problem.source, problem.line), reason, problem.detail, count)
        for text in other.warnings:
            self.warn(text)
        for name in other.formats:
            self.format(name)

    def intake(self, sources: tuple[str, ...]) -> Intake:
        """The account so far; problems by source and line."""
        listed = [
            replace(problem, detail=f"{problem.detail} ({count:,} times)") if count > 1 else problem
            for problems in self.problems.values()
            for problem, count in problems.items()
        ]
        listed.sort(key=lambda item: (item.source, item.line or 0, item.reason, item.detail))
        return Intake(
            sources=sources,
            formats=tuple(sorted(self.formats)),
            rejected=MappingProxyType(dict(sorted(self.rejected.items()))),
            problems=tuple(listed),
            skipped=MappingProxyType(dict(sorted(self.skipped.items()))),
            warnings=tuple(self.warnings),
        )


@dataclass(frozen=True, slots=True)
class Where:
    """A place in the input."""

    source: str
    line: int | None = None


class Rejected(ValueError):
    """One span, link or line cannot be used; `reason` is short and countable."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
