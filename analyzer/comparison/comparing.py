"""The comparison in order: test everything, keep what is beyond chance, then what follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from analyzer.comparison.aspects import ASPECTS, Aspect
from analyzer.comparison.change import Change, Comparison, Place, Side
from analyzer.comparison.consequences import consequences
from analyzer.comparison.explained import unexplained
from analyzer.comparison.snapshot import Snapshot
from analyzer.comparison.statistics import adjusted, same_share

ALPHA = 0.01  # of all that is told, about so much may be chance


class Incomparable(ValueError):
    """The two sides cannot be compared; the message says why. Holds foreign strings."""


def compare(
    before: Snapshot,
    after: Snapshot,
    *,
    alpha: float = ALPHA,
    aspects: Sequence[Aspect] = ASPECTS,
) -> Comparison:
    """All that changed from `before` to `after`, beyond chance and large enough to matter.

    `alpha`: the share of what is told that may be chance (false discovery rate). Raises
    Incomparable where a side is empty, or the two are of different systems or filters.
    """
    _check(before, after)
    candidates = [one for aspect in aspects for one in aspect(before, after)]
    chances = adjusted([one.p for one in candidates])
    judged = [
        (replace(one.change, p=one.p, q=q), one.matters and q <= alpha, one.matters)
        for one, q in zip(candidates, chances, strict=True)
    ]
    sure = _one_a_place(change for change, told, _ in judged if told)
    unsure = _one_a_place(change for change, told, matters in judged if matters and not told)
    told = unexplained(sure, before, after)
    named = {(change.kind, change.place) for change in sure}
    return Comparison(
        before=_side(before),
        after=_side(after),
        alpha=alpha,
        tests=len(candidates),
        changes=_sorted([*told, *consequences(told, before, after)]),
        unsure=_sorted(one for one in unsure if (one.kind, one.place) not in named),
        notes=tuple(_notes(before, after, alpha)),
    )


def _check(before: Snapshot, after: Snapshot) -> None:
    for side in (before, after):
        if not side.instances:
            raise Incomparable(f"{side.name} has no workflow instance: nothing to compare")
    if before.where != after.where:
        filters = [f"{side.name} {side.where!r}" for side in (before, after) if side.where]
        raise Incomparable(f"the two are not filtered alike: {' and '.join(filters)}")
    if not set(before.services) & set(after.services):
        raise Incomparable(
            f"no service is in both {before.name} and {after.name}: these are two systems"
        )


def _one_a_place(changes: Iterable[Change]) -> list[Change]:
    """A median and a tail that moved together are one change, told by the median."""
    found: dict[tuple[str, Place], Change] = {}
    for change in changes:
        found.setdefault((change.kind, change.place), change)
    return list(found.values())


def _sorted(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: change.sort_key))


def _side(side: Snapshot) -> Side:
    return Side(side.name, side.form, side.instances, len(side.workflows), len(side.services))


def _notes(before: Snapshot, after: Snapshot, alpha: float) -> Iterable[str]:
    """What the comparison could not see."""
    for name in sorted(set(before.workflows) & set(after.workflows)):
        old, new = before.workflows[name].instances, after.workflows[name].instances
        # If all of one side and none of the other did something, that would be its chance.
        if same_share(old, old, 0, new) > alpha:
            yield f"{name}: {old:,} and {new:,} instances are too few to tell a change from chance"
    reports = [side.name for side in (before, after) if side.form == "report"]
    if reports:
        yield (
            f"{' and '.join(reports)}: a report holds neither variants nor the own time of steps; "
            "compare recordings to see them"
        )
    for kind in ("sampling", "broken-propagation", "uninstrumented"):
        sides = [side.name for side in (before, after) if kind in side.data_notes]
        if len(sides) == 1:
            yield f"only {sides[0]} has {kind}, which may make a difference by itself"
