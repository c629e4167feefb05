"""Findings as a pipeline sees them: one fault a place, with an identity that runs share."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from analyzer.analysis import Analysis
from analyzer.finding import Finding
from analyzer.reporters.context import Context
from analyzer.reporters.groups import Group


@dataclass(frozen=True, slots=True)
class Fault(Group):
    """Findings of one kind at one place, the worst first; `fingerprint` outlives the run."""

    fingerprint: str = ""

    @property
    def size(self) -> int:
        """How many instances it is about; at least one."""
        return max(self.instances, 1)

    @property
    def told(self) -> str:
        """The message of the worst, and how many places it speaks for. Foreign: escape it."""
        rest = len(self.findings) - 1
        return self.worst.message + (f" (+{rest:,} more like it)" if rest else "")


def place_fingerprint(finding: Finding) -> str:
    """32 hex digits of what and where: no time, no id of an instance or trace, no count.

    `Finding.fingerprint` tells instances apart, whose ids are new in every run. Baselines and the
    reports of pipelines compare runs, so they need the place.
    """
    waiting = finding.waiting_for
    parts = (
        finding.kind,
        finding.workflow,
        finding.service,
        finding.step,
        waiting.service,
        waiting.step,
        waiting.destination,
        # What is about no workflow and no service is told apart by its words.
        None if finding.workflow or finding.service else finding.message,
    )
    text = "\x1f".join("" if part is None else f"={part}" for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def faults(findings: Iterable[Finding]) -> list[Fault]:
    """The findings by place, the worst place first: a total order."""
    found: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: (f.sort_key, f.fingerprint)):
        found.setdefault(place_fingerprint(finding), []).append(finding)
    made = [Fault(tuple(members), fingerprint) for fingerprint, members in found.items()]
    return sorted(made, key=lambda fault: (fault.sort_key, fault.fingerprint))


def anchor(analysis: Analysis, context: Context) -> str:
    """The path that a pipeline shows a fault at: the expectations, else what was read. Foreign.

    Always relative and inside the repository, as GitHub and GitLab want it.
    """
    read = context.sources or analysis.recording.intake.sources
    path = context.anchor or (read[0] if read and read[0] != "-" else "stdin")
    inside = not re.match(r"[/\\\\~]|[A-Za-z][A-Za-z0-9+.-]*:", path) and ".." not in path.split(
        "/"
    )
    usable = os.path.normpath(path) if inside and path else os.path.basename(path.rstrip("/"))
    return usable[:400] if usable not in ("", ".", "..") else "traces"
