"""What follows from changed edges: dependencies of services, hotspots of coupling, styles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.comparison.change import Change, Figure, Place
from analyzer.comparison.report_file import Hotspot
from analyzer.comparison.snapshot import EdgeKey, Snapshot
from analyzer.coupling.findings import WORTH
from analyzer.coupling.score import MAX_A_KIND, MIN_INSTANCES

# Seen without edges: what is written to, how large messages are, what their names mean.
_NO_EDGES = ("shared-database", "stamp-coupling", "passive-aggressive-event")


def consequences(changes: list[Change], before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Coupling figures cross thresholds by chance; told is only what established changes bear."""
    yield from _dependencies(changes, before, after)
    yield from _hotspots(changes, before, after)
    yield from _styles(changes, before, after)


def _dependencies(changes: list[Change], before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Services that depend on more or fewer others (`ce`), counting only edges that are sure."""
    new = _pairs(_keys(changes, "new-edge"))
    lost = _keys(changes, "gone-edge")
    old_pairs = _pairs(before.edges)
    kept = _pairs(key for key in before.edges if key not in lost)
    new_pairs = (kept | new) - (_pairs(lost) - kept - new)
    for service in sorted(set(before.services) & set(after.services)):
        was, now = (
            {on for dependent, on in pairs if dependent == service}
            for pairs in (old_pairs, new_pairs)
        )
        if len(was) != len(now):
            kind = "more-dependencies" if len(now) > len(was) else "fewer-dependencies"
            counts = (
                Figure(len(was), before.services[service]),
                Figure(len(now), after.services[service]),
            )
            yield Change(kind, Place(service=service), "count", *counts, note=_by(was, now))


def _by(was: set[str], now: set[str]) -> str:
    signs = (("+", now - was), ("-", was - now))
    return ", ".join(f"{sign} {name}" for sign, names in signs for name in sorted(names))


def _pairs(keys: Iterable[EdgeKey]) -> set[tuple[str, str]]:
    """(dependent, on), as `analyzer.coupling.dependencies` has them."""
    found = set()
    for source, target, kind, _ in keys:
        if source != target and kind != "reply":
            found.add((target, source) if kind == "event" else (source, target))
    return found


def _keys(changes: list[Change], kind: str) -> set[EdgeKey]:
    places = [change.place for change in changes if change.kind == kind]
    return {
        (p.source or "", p.target or "", p.edge_kind or "", p.destination or "") for p in places
    }


def _hotspots(changes: list[Change], before: Snapshot, after: Snapshot) -> Iterator[Change]:
    old, new = ({_identity(h): h for h in side.hotspots} for side in (before, after))
    for sign, here, there in (("new", new, old), ("gone", old, new)):
        for identity, spot in sorted(here.items()):
            crowd = sum(other.kind == spot.kind for other in there.values())
            if identity in there or spot.score < WORTH or crowd >= MAX_A_KIND:
                continue
            if not _borne(spot, changes, before, after):
                continue
            figures = Figure(0.0, before.instances), Figure(spot.score, after.instances)
            if sign == "gone":
                figures = Figure(spot.score, before.instances), Figure(0.0, after.instances)
            place = Place(services=tuple(spot.services))
            yield Change(f"{sign}-{spot.kind}", place, "score", *figures, note=spot.message)


def _identity(spot: Hotspot) -> tuple[str, tuple[str, ...]]:
    return spot.kind, tuple(sorted(spot.services))


def _borne(spot: Hotspot, changes: list[Change], before: Snapshot, after: Snapshot) -> bool:
    """Whether an edge among its services, or at it where it is one service, did change."""
    if spot.kind in _NO_EDGES:
        return min(before.instances, after.instances) >= MIN_INSTANCES
    among = set(spot.services)
    for change in changes:
        place = change.place
        if place.source is None or "edge" not in change.kind:
            continue
        ends = {place.source, place.target}
        if ends <= among or (len(among) == 1 and ends & among):
            return True
    return False


def _styles(changes: list[Change], before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """A style is a threshold on shares of edges: it only changes where an edge came or went."""
    structural = any(change.kind in ("new-edge", "gone-edge") for change in changes)
    for name in sorted(set(before.workflows) & set(after.workflows)):
        old, new = before.workflows[name], after.workflows[name]
        enough = min(old.instances, new.instances) >= MIN_INSTANCES
        known = "undetermined" not in (old.style, new.style)
        if structural and enough and known and old.style != new.style:
            note = f"{old.style} → {new.style}"
            figures = Figure(None, old.instances), Figure(None, new.instances)
            yield Change("changed-style", Place(workflow=name), "style", *figures, note=note)
