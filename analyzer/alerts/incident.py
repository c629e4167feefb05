"""An incident: what findings of one workflow, step and cause say together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analyzer.finding import Finding, Severity

EXAMPLES = 20  # instances named in an alert


@dataclass(frozen=True, slots=True)
class Incident:
    """What is alerted. The key does not change while the fault lasts, whatever its size."""

    key: str
    kind: str
    cause: str
    severity: Severity
    workflow: str
    service: str  # who has to act
    step: str  # what is waited for, else the last step seen
    summary: str  # one sentence; holds foreign strings
    instances: int
    since_ns: int
    examples: tuple[str, ...] = ()  # instance ids
    details: tuple[str, ...] = ()  # evidence, for people
    owner: str = ""


def incidents(findings: Sequence[Finding], least: Severity, now_ns: int) -> tuple[Incident, ...]:
    """One incident for each (kind, workflow, step, service, cause), worst and largest first.

    Findings below `least` are left out, and those that are about no instance of a workflow.
    """
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        concerned = finding.instance is not None or finding.members
        if finding.severity.rank <= least.rank and concerned:
            groups.setdefault(_identity(finding), []).append(finding)
    found = (_incident(identity, group, now_ns) for identity, group in groups.items())
    return tuple(sorted(found, key=lambda one: (one.severity.rank, -one.instances, one.key)))


def _identity(finding: Finding) -> tuple[str, ...]:
    waiting = finding.waiting_for
    return (
        finding.kind,
        finding.workflow or "",
        waiting.step or finding.step or "",
        waiting.service or finding.service or "",
        finding.cause,
    )


def _incident(identity: tuple[str, ...], group: list[Finding], now_ns: int) -> Incident:
    worst = min(group, key=lambda finding: finding.sort_key)
    kind, workflow, step, service, cause = identity
    members = list(dict.fromkeys(_members(group)))
    return Incident(
        key=hashlib.blake2b("\x1f".join(identity).encode(), digest_size=16).hexdigest(),
        kind=kind,
        cause=cause,
        severity=worst.severity,
        workflow=workflow,
        service=service,
        step=step,
        summary=worst.message,
        instances=max(len(members), sum(finding.instances for finding in group)),
        since_ns=min(finding.since_ns or now_ns for finding in group),
        examples=tuple(members[:EXAMPLES]),
        details=worst.causes[0].supports if worst.causes else (),
        owner=worst.owner or "",
    )


def _members(group: Iterable[Finding]) -> Iterable[str]:
    for finding in group:
        if finding.instance is not None:
            yield finding.instance
        yield from finding.members
