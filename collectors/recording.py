"""A recording: the frames read from one or more sources, with what was lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl

from collectors import schema


@dataclass(frozen=True, slots=True)
class Problem:
    """One piece of input that could not be used: where it stood, and what was wrong with it."""

    source: str
    line: int | None  # 1-based; None where the format has no lines
    reason: str  # short and countable, such as "invalid-json", "bad-span-id"
    detail: str  # what was there and what would be right


@dataclass(frozen=True, slots=True)
class Intake:
    """What was kept and lost: `offered = spans + duplicates + conflicts + sum(rejected)`."""

    sources: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    spans: int = 0  # kept
    duplicates: int = 0  # exact copies, counted once
    conflicts: int = 0  # same id, other content; the deterministic winner was kept
    rejected: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()  # the first 100 of each reason
    # Whole requests of other signals (logs, metrics), other files, partial reports.
    skipped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()

    @property
    def damaged(self) -> bool:
        """Whether some of the input was unreadable (exit code 3)."""
        return bool(self.rejected)


@dataclass(frozen=True, slots=True)
class Recording:
    """Deduplicated spans, sorted by (start_ns, trace, span id), and what hangs on them.

    The frames have the shapes of `collectors.schema`. The same set of spans gives the same
    frames, whatever the order and the number of files they arrived in.
    """

    spans: pl.DataFrame
    links: pl.DataFrame
    events: pl.DataFrame
    attributes: pl.DataFrame
    link_attributes: pl.DataFrame
    intake: Intake = Intake()

    def __post_init__(self) -> None:
        schema.check(self.spans, schema.SPANS, "spans")
        schema.check(self.links, schema.LINKS, "links")
        schema.check(self.events, schema.EVENTS, "events")
        schema.check(self.attributes, schema.ATTRIBUTES, "attributes")
        schema.check(self.link_attributes, schema.LINK_ATTRIBUTES, "link_attributes")


def empty_recording() -> Recording:
    """A recording with no spans."""
    return Recording(
        schema.empty(schema.SPANS),
        schema.empty(schema.LINKS),
        schema.empty(schema.EVENTS),
        schema.empty(schema.ATTRIBUTES),
        schema.empty(schema.LINK_ATTRIBUTES),
    )
