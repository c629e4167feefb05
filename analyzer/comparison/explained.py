"""Leaves out what another change says already."""

from __future__ import annotations

from dataclasses import replace

from analyzer.comparison.change import Change
from analyzer.comparison.snapshot import Course, Snapshot, StepKey


def unexplained(changes: list[Change], before: Snapshot, after: Snapshot) -> list[Change]:
    """Without variants that only gained or lost a step which is told, and but the first of many
    steps that begin later; every kept variant says how it differs."""
    kept = []
    for change in _first_shift_only(changes):
        if change.place.variant is None:
            kept.append(change)
        elif not _follows(change, changes, before, after):
            kept.append(_described(change, before, after))
    return kept


def _first_shift_only(changes: list[Change]) -> list[Change]:
    """A step that takes longer delays all that come after it: the first one shows where."""
    first: dict[tuple[str, str | None], Change] = {}
    counts: dict[tuple[str, str | None], int] = {}
    for change in changes:
        if change.kind in ("later-step", "earlier-step"):
            key = (change.kind, change.place.workflow)
            counts[key] = counts.get(key, 0) + 1
            known = first.setdefault(key, change)
            if (change.before.value or 0.0) < (known.before.value or 0.0):
                first[key] = change
    notes = {id(change): counts[key] for key, change in first.items()}
    kept = []
    for change in changes:
        if change.kind not in ("later-step", "earlier-step"):
            kept.append(change)
        elif id(change) in notes:
            kept.append(_noted(change, _of_many(notes[id(change)])))
    return kept


def _of_many(count: int) -> str:
    return f"the first of {count} steps that moved; what is before it took the time" * (count > 1)


def _noted(change: Change, note: str) -> Change:
    return replace(change, note=note) if note else change


def _follows(change: Change, changes: list[Change], before: Snapshot, after: Snapshot) -> bool:
    """Whether the variant is one of the other side with steps that came, went or moved in share."""
    course = _course(change, before) or _course(change, after)
    others = _courses(change, before if change.kind.startswith("new-") else after)
    if course is None:
        return False
    place = change.place
    moved: set[StepKey] = {
        (one.place.service or "", one.place.step or "")
        for one in changes
        if one.place.step is not None and one.place.workflow == place.workflow
        and one.kind in ("new-step", "gone-step", "rarer-step", "commoner-step")
    }  # fmt: skip
    if change.kind in ("rarer-variant", "commoner-variant"):
        return bool(moved)
    return any(
        (course.steps ^ other.steps) and (course.steps ^ other.steps) <= moved
        for other in others.values()
    )


def _courses(change: Change, side: Snapshot) -> dict[str, Course]:
    workflow = side.workflows.get(change.place.workflow or "")
    return dict(workflow.variants or {}) if workflow else {}


def _course(change: Change, side: Snapshot) -> Course | None:
    return _courses(change, side).get(change.place.variant or "")


def _described(change: Change, before: Snapshot, after: Snapshot) -> Change:
    """How it differs from the usual variant of the other side (of its own, where both have it)."""
    course = _course(change, before) or _course(change, after)
    others = _courses(change, before if change.kind.startswith("new-") else after)
    others.pop(change.place.variant or "", None)
    if course is None or not others:
        return change
    usual = max(others.items(), key=lambda item: (item[1].instances, item[0]))[1]
    signs = [("+", course.steps - usual.steps), ("-", usual.steps - course.steps)]
    said = [f"{sign} {key[0]}: {key[1]}" for sign, keys in signs for key in sorted(keys)]
    same = "the steps of the usual variant, in another causal order"
    shown = ", ".join(said[:6]) + f" +{len(said) - 6} more" * (len(said) > 6)
    return _noted(change, f"against the usual variant: {shown}" if said else same)
