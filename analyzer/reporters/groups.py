"""Findings that share what, where and why, as one group: nobody reads the same line 40 times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analyzer.finding import Finding

INSTANCE_KINDS = frozenset(
    {
        "stuck",
        "late",
        "missing-step",
        "backlog",
        "consumer-dark",
        "failed",
        "dead-lettered",
        "unconsumed-message",
        "orphaned",
        "duplicate-delivery",
        "retry-storm",
        "incomplete-compensation",
        "identity-conflict",
    }
)
COUPLING_KINDS = frozenset(
    {
        "cycle",
        "bidirectional",
        "hub",
        "synchronous-chain",
        "chatty",
        "shared-database",
        "passive-aggressive-event",
        "stamp-coupling",
        "front-controller",
        "esb-like-hub",
    }
)
# Only where something was declared; see docs/expectations.md.
DECLARED_KINDS = frozenset(
    {
        "deadline-missed",
        "exclusive-steps",
        "wrong-count",
        "unclosed",
        "unmatched-expectation",
        "undocumented-consumer",
        "undocumented-producer",
        "undocumented-channel",
        "vanished-consumer",
        "unused-event",
        "silent-channel",
    }
)
DATA_KINDS = frozenset({"broken-propagation", "clock-skew", "sampling", "bad-span"})


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one kind, cause and service, of any workflow; the worst comes first."""

    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Finding:
        """Its worst finding, which speaks for the others."""
        return self.findings[0]

    @property
    def kind(self) -> str:
        """Kind of finding they share."""
        return self.worst.kind

    @property
    def instances(self) -> int:
        """How many instances they are about, each counted once where all are named."""
        named = all(f.instance is not None or len(f.members) == f.instances for f in self.findings)
        if named and self.examples:
            return len(self.examples)
        return sum(finding.instances for finding in self.findings)

    @property
    def examples(self) -> tuple[str, ...]:
        """Ids of instances to look at, worst first."""
        found: dict[str, None] = {}
        for finding in self.findings:
            for name in (finding.instance, *finding.members):
                if name is not None:
                    found.setdefault(name)
        return tuple(found)

    @property
    def workflows(self) -> dict[str, int]:
        """Instances in each workflow it touches, most first."""
        found: dict[str, int] = {}
        for finding in self.findings:
            if finding.workflow is not None:
                found[finding.workflow] = found.get(finding.workflow, 0) + finding.instances
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def destinations(self) -> dict[str, int]:
        """Findings on each destination that is waited for, most first."""
        found: dict[str, int] = {}
        for finding in self.findings:
            destination = finding.waiting_for.destination
            if destination is not None:
                found[destination] = found.get(destination, 0) + finding.instances
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def since_ns(self) -> int | None:
        """Since when the first of them."""
        return min((f.since_ns for f in self.findings if f.since_ns is not None), default=None)

    @property
    def overdue_s(self) -> float | None:
        """How far the longest of them is overdue."""
        return max((f.overdue_s for f in self.findings if f.overdue_s is not None), default=None)

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Severity, then how many instances the cause can be expected to explain: one that is
        named and sure comes before a guess about a few more."""
        worst = self.worst
        sure = worst.causes[0].confidence if worst.causes else worst.confidence
        return (worst.severity.rank, -round(self.instances * sure, 6), *worst.sort_key)


def instance_groups(findings: Iterable[Finding]) -> list[Group]:
    """Groups of the findings that are about instances, the worst first."""
    return grouped(f for f in findings if f.kind not in COUPLING_KINDS | DATA_KINDS)


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Groups by kind, cause and who has to act, the worst first."""
    found: dict[tuple[object, ...], list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: (f.sort_key, f.fingerprint)):
        found.setdefault(_shared(finding), []).append(finding)
    return sorted((Group(tuple(members)) for members in found.values()), key=lambda g: g.sort_key)


def _shared(finding: Finding) -> tuple[object, ...]:
    return (
        finding.severity,
        finding.kind,
        finding.cause,
        finding.service,
    )
