"""`analyze --fail-on`: which findings fail the run, by severity, kind or cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tui.words import CAUSES, finding_kinds, nearest

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.finding import Finding

LEVELS = ("error", "warning", "note", "none")
DEFAULT = "error"
# States that are kinds of findings as well: a stuck instance may be told by another kind, such as a
# consumer that is dark for many.
STATES = frozenset({"stuck", "late", "failed", "dead-lettered", "orphaned"})


@dataclass(frozen=True, slots=True)
class FailOn:
    """A finding fails the run where it is as severe as `level`, or has one of `words`."""

    level: str = DEFAULT
    words: frozenset[str] = frozenset()  # kinds, causes and states

    def fails(self, finding: Finding) -> bool:
        """Whether this finding fails the run."""
        if self.level != "none" and finding.severity.rank <= LEVELS.index(self.level):
            return True
        return finding.kind in self.words or finding.cause in self.words

    def failing(self, analysis: Analysis) -> list[Finding]:
        """The findings that fail the run, the worst first."""
        meant = self._in_states(analysis)
        return [one for one in analysis.findings if self.fails(one) or _alarms(one, meant)]

    def _in_states(self, analysis: Analysis) -> frozenset[str]:
        """Ids of the instances in a state that was asked for."""
        states = sorted(self.words & STATES)
        if not states:
            return frozenset()
        instances = analysis.instances
        return frozenset(instances["id"].filter(instances["state"].is_in(states)).to_list())

    def reported_level(self, analysis: Analysis) -> str:
        """The severity from which reports call a finding a failure: none that fails the run is
        below it, because a report that is greener than the exit code is believed."""
        ranks = [finding.severity.rank for finding in self.failing(analysis)]
        own = LEVELS.index(self.level)
        if not ranks:
            return self.level
        return LEVELS[max(*ranks, own if self.level != "none" else 0)]

    @property
    def text(self) -> str:
        """As it was asked for."""
        levels = [] if self.level == "none" and self.words else [f"at or above {self.level}"]
        return " or ".join([*levels, *(f"of {word}" for word in sorted(self.words))])


def _alarms(finding: Finding, instances: frozenset[str]) -> bool:
    """Whether it says that something is wrong with one of these."""
    if not instances or finding.severity.value == "note":
        return False
    return finding.instance in instances or not instances.isdisjoint(finding.members)


def parse_fail_on(texts: Iterable[str]) -> FailOn:
    """`error`, `warning,cycle`, `consumer-dark`; the default is `error`, and words alone replace
    it. UsageError names the nearest word."""
    asked = [word.strip() for text in texts for word in text.split(",")]
    if not asked:
        return FailOn()
    levels = [word for word in asked if word in LEVELS]
    words = frozenset(word for word in asked if word not in LEVELS)
    known = [*LEVELS, *sorted({*finding_kinds(), *CAUSES})]
    for word in sorted(words):
        if word not in known:
            raise click.UsageError(f"--fail-on: unknown word {word!r}; {nearest(word, known)}")
    if len(set(levels)) > 1:
        raise click.UsageError(f"--fail-on: {' and '.join(levels)}: one severity is enough")
    return FailOn(levels[0] if levels else "none", words)
