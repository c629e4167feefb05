"""Findings that are known: which entry of a baseline accepts which finding, and which no longer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase

from analyzer.comparison.statistics import same_share
from analyzer.finding import Finding
from analyzer.reporters.faults import place_fingerprint

# A known fault may touch twice as many instances as it did; more, and beyond chance, is news.
GROWTH = 2.0
GROWTH_CHANCE = 0.01


@dataclass(frozen=True, slots=True)
class Entry:
    """What is accepted: one place by its fingerprint, or all that the patterns match, and why."""

    reason: str
    fingerprint: str | None = None
    kind: str | None = None  # patterns: * and ? stand for any characters and any one
    workflow: str | None = None
    service: str | None = None
    step: str | None = None
    cause: str | None = None
    owner: str | None = None
    expires: date | None = None  # the last day that it holds
    instances: int | None = None  # how many it touched when it was accepted ...
    of: int | None = None  # ... of so many
    line: int = 1

    def matches(self, finding: Finding, place: str | None = None) -> bool:
        """Whether it speaks of this finding; the fingerprint alone decides where there is one.

        `place`: the finding's `place_fingerprint`, where it is at hand. The fingerprint of one
        finding, which reports also have, means that finding alone.
        """
        if self.fingerprint is not None:
            return self.fingerprint in (place or place_fingerprint(finding), finding.fingerprint)
        asked = (
            (self.kind, finding.kind),
            (self.workflow, finding.workflow),
            (self.service, finding.service),
            (self.step, finding.step),
            (self.cause, finding.cause),
        )
        return all(
            pattern is None or fnmatchcase((value or "").casefold(), pattern.casefold())
            for pattern, value in asked
        )

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.expires is not None and today > self.expires

    def outgrown(self, instances: int, total: int) -> bool:
        """Whether far more instances are touched now than when it was accepted."""
        if not self.instances or not self.of or not total:
            return False
        more = instances / total >= GROWTH * self.instances / self.of
        return more and same_share(self.instances, self.of, instances, total) < GROWTH_CHANCE

    @property
    def named(self) -> str:
        """What it speaks of, in words; holds foreign strings."""
        parts = (self.kind, self.cause, self.workflow, self.service, self.step)
        return ", ".join(part for part in parts if part) or str(self.fingerprint)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Findings by what the baseline says of them; entries that say nothing any more."""

    known: tuple[tuple[Finding, Entry], ...] = ()
    new: tuple[Finding, ...] = ()
    returned: tuple[tuple[Finding, Entry], ...] = ()  # of an expired entry
    grown: tuple[tuple[Finding, Entry], ...] = ()
    unused: tuple[Entry, ...] = ()
    used: tuple[Entry, ...] = field(default=())


def judged(
    findings: Iterable[Finding], entries: Sequence[Entry], today: date, total: int
) -> Verdicts:
    """What `entries` say of `findings` on that day, in a run of `total` instances.

    Of several entries that match, one that still holds wins; then the first.
    """
    found = _placed(findings)
    touched = _touched(found, entries)
    known, new, returned, grown = [], [], [], []
    for finding, place in found:
        matching = [entry for entry in entries if entry.matches(finding, place)]
        lasting = [entry for entry in matching if not entry.expired(today)]
        holding = [entry for entry in lasting if not entry.outgrown(touched[id(entry)], total)]
        if holding:
            known.append((finding, holding[0]))
        elif lasting:
            grown.append((finding, lasting[0]))
        elif matching:
            returned.append((finding, matching[0]))
        else:
            new.append(finding)
    return Verdicts(
        tuple(known),
        tuple(new),
        tuple(returned),
        tuple(grown),
        tuple(entry for entry in entries if not touched[id(entry)]),
        tuple(entry for entry in entries if touched[id(entry)]),
    )


def _placed(findings: Iterable[Finding]) -> list[tuple[Finding, str]]:
    """Each with its place, worked out once: there may be thousands of both."""
    return [(finding, place_fingerprint(finding)) for finding in findings]


def _touched(found: Sequence[tuple[Finding, str]], entries: Iterable[Entry]) -> dict[int, int]:
    """How many instances each entry speaks of, by its id()."""
    return {
        id(entry): sum(max(one.instances, 1) for one, place in found if entry.matches(one, place))
        for entry in entries
    }


def renewed(
    findings: Iterable[Finding], entries: Sequence[Entry], today: date, total: int
) -> list[Entry]:
    """The entries of the next baseline: those that still speak of something, and one for each
    new place. Patterns that people wrote stay as they are; what was counted is counted again."""
    found = _placed(findings)
    touched = _touched(found, entries)
    used = [one for one in entries if touched[id(one)] and not one.expired(today)]
    kept = [
        entry if entry.fingerprint is None else _counted(entry, touched[id(entry)], total)
        for entry in used
    ]
    places: dict[str, list[Finding]] = {}
    for finding, place in found:
        if not any(entry.matches(finding, place) for entry in used):
            places.setdefault(place, []).append(finding)
    over = [one for one in entries if one.expired(today)]
    for key, members in places.items():
        before = next((one for one in over if one.matches(members[0], key)), None)
        kept.append(_entry(key, members, before, today, total))
    return sorted(kept, key=_order)


def _counted(entry: Entry, touched: int, total: int) -> Entry:
    return replace(entry, instances=touched, of=total)


def _entry(
    fingerprint: str, members: list[Finding], before: Entry | None, today: date, total: int
) -> Entry:
    """`before`: an entry that has expired; whose it was, and why, is not forgotten."""
    first, reason = members[0], f"known since {today.isoformat()}, not judged yet"
    if before is not None:
        reason += f"; until {before.expires}: {before.reason}"
    return Entry(
        reason=reason,
        owner=before.owner if before is not None else None,
        fingerprint=fingerprint,
        kind=first.kind,
        workflow=first.workflow,
        service=first.service,
        step=first.step,
        instances=sum(max(one.instances, 1) for one in members),
        of=total,
    )


def _order(entry: Entry) -> tuple[object, ...]:
    names = (entry.kind, entry.workflow, entry.service, entry.step, entry.cause)
    return (entry.fingerprint is not None, *(name or "" for name in names), entry.fingerprint or "")
