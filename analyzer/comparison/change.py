"""A change: what is new, gone or different, the figures on both sides, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.reporters.groups import COUPLING_KINDS

# Which kinds there are, in the order of reports; a kind of hotspot gives two more (`new-cycle`).
PLAIN_KINDS: dict[str, str] = {
    "gone-workflow": "a workflow that no longer begins",
    "new-workflow": "a workflow that did not begin before",
    "gone-service": "a service that no longer takes part",
    "new-service": "a service that did not take part before",
    "gone-consumer": "a service that no longer uses what a destination gets",
    "new-consumer": "a service that uses a destination it did not use before",
    "gone-destination": "a queue or topic that nobody hands on any more",
    "new-destination": "a queue or topic that was not used before",
    "gone-edge": "a call or message between two services that no longer happens",
    "new-edge": "a call or message between two services that did not happen before",
    "gone-step": "a step of a workflow that no longer happens",
    "new-step": "a step of a workflow that did not happen before",
    "rarer-step": "a step in a smaller share of its workflow's instances",
    "commoner-step": "a step in a larger share of its workflow's instances",
    "gone-variant": "a course that complete instances no longer take",
    "new-variant": "a course that no complete instance took before",
    "rarer-variant": "a course that a smaller share of complete instances takes",
    "commoner-variant": "a course that a larger share of complete instances takes",
    "more-trouble": "a larger share of instances in a state that needs attention",
    "less-trouble": "a smaller share of instances in a state that needs attention",
    "more-errors": "a step with an error in a larger share of its instances",
    "fewer-errors": "a step with an error in a smaller share of its instances",
    "slower-workflow": "complete instances take longer",
    "faster-workflow": "complete instances take less time",
    "slower-step": "a step takes longer by itself, without what it calls",
    "faster-step": "a step takes less time by itself, without what it calls",
    "later-step": "a step begins later in its instance (reports know no step's own time)",
    "earlier-step": "a step begins earlier in its instance",
    "slower-edge": "messages wait longer before they are used",
    "faster-edge": "messages wait less before they are used",
    "chattier-edge": "more calls or messages an instance",
    "quieter-edge": "fewer calls or messages an instance",
    "more-dependencies": "a service that depends on more others",
    "fewer-dependencies": "a service that depends on fewer others",
    "changed-style": "a workflow that became more or less orchestrated",
}
HOTSPOT_KINDS: tuple[str, ...] = tuple(
    f"{sign}-{kind}" for kind in sorted(COUPLING_KINDS) for sign in ("new", "gone")
)
KINDS: tuple[str, ...] = (*PLAIN_KINDS, *HOTSPOT_KINDS)

# What `--fail-on` takes beside kinds.
GROUPS: dict[str, tuple[str, ...]] = {
    "any": KINDS,
    "new": tuple(kind for kind in KINDS if kind.startswith("new-")),
    "gone": tuple(kind for kind in KINDS if kind.startswith("gone-")),
    "changed": tuple(kind for kind in KINDS if not kind.startswith(("new-", "gone-"))),
    "slower": ("slower-workflow", "slower-step", "slower-edge", "later-step"),
    "worse": (
        *(kind for kind in PLAIN_KINDS if kind.startswith("gone-") and kind != "gone-variant"),
        "more-trouble",
        "more-errors",
        *("slower-workflow", "slower-step", "slower-edge", "later-step"),
        "chattier-edge",
        "more-dependencies",
        *(kind for kind in HOTSPOT_KINDS if kind.startswith("new-")),
    ),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One side's value: a share, a rate, seconds or a count; `low` and `high` its 95 % interval."""

    value: float | None
    n: int = 0  # instances it rests on
    low: float | None = None
    high: float | None = None


NOTHING = Figure(None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is; names are foreign strings."""

    workflow: str | None = None
    service: str | None = None
    step: str | None = None
    source: str | None = None
    target: str | None = None
    edge_kind: str | None = None  # sync, command, event, reply
    destination: str | None = None
    services: tuple[str, ...] = ()  # of a hotspot
    variant: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between BEFORE and AFTER."""

    kind: str  # one of KINDS
    place: Place
    measure: str  # share, per-instance, seconds-p50, seconds-p95, count, score, style
    before: Figure = NOTHING
    after: Figure = NOTHING
    p: float | None = None  # chance of such a difference where nothing changed
    q: float | None = None  # the same among all that were compared (Benjamini-Hochberg)
    note: str = ""  # ours and foreign words: escape before output

    @property
    def subject(self) -> str:
        """What changed, in words; holds foreign strings."""
        return _subject(self.place)

    @property
    def sort_key(self) -> tuple[object, ...]:
        """By kind, then place: a total order."""
        place = self.place
        texts = (
            place.workflow,
            *(place.source, place.target, place.edge_kind, place.destination),
            *(place.service, place.step, place.variant, place.state),
        )
        named = tuple(text or "" for text in texts)
        return (KINDS.index(self.kind), *named, place.services, self.measure)


def _subject(place: Place) -> str:
    if place.services:
        return " → ".join(place.services)
    if place.source is not None:
        over = f" {place.destination}" if place.destination else ""
        return f"{place.source} → {place.target} ({place.edge_kind or '?'}{over})"
    if place.destination is not None:
        by = f"{place.service} on " if place.service else ""
        return f"{by}{place.destination}"
    inside = f" in {place.workflow}" if place.workflow else ""
    if place.variant is not None:
        return f"variant {place.variant}{inside}"
    if place.state is not None:
        return f"{place.state}{inside}"
    if place.step is not None:
        return f"{place.service}: {place.step}{inside}"
    return place.service or place.workflow or "?"


@dataclass(frozen=True, slots=True)
class Side:
    """What was compared, in numbers."""

    name: str
    form: str  # recording, report
    instances: int
    workflows: int
    services: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that changed; `unsure` are differences that chance explains as well."""

    before: Side
    after: Side
    alpha: float
    tests: int
    changes: tuple[Change, ...] = ()
    unsure: tuple[Change, ...] = ()
    notes: tuple[str, ...] = field(default=())  # what could not be compared; foreign words inside
