"""What the screens are shown: a feed brings one snapshot after the other, whatever its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import polars as pl

    from analyzer.alerts.engine import Alert
    from analyzer.alerts.outbox import Outcome
    from analyzer.alerts.silences import Silence
    from analyzer.analysis import DataNote, Workflow
    from analyzer.checks import Conformance
    from analyzer.finding import Finding, Hotspot
    from tui.alerting import Desk


class Phase(StrEnum):
    """How a feed is doing."""

    LOADING = "loading"  # nothing to show yet
    LIVE = "live"  # follows its source
    ENDED = "ended"  # a recording that is read to its end
    STALE = "stale"  # connected, but no span has come for a while
    DISCONNECTED = "disconnected"  # tries again by itself; the last snapshot stays
    FAILED = "failed"  # `message` says why; the last snapshot stays


@dataclass(frozen=True, slots=True)
class Status:
    """The header. Never older than a second, also while the list is paused."""

    source: str  # "orders.jsonl.gz", "store ./traces", "http://127.0.0.1:4320", "otlp :4317"
    phase: Phase
    message: str = ""  # what is wrong, or what is being done; holds foreign strings
    progress: float | None = None  # of loading, 0 to 1
    spans_per_s: float | None = None
    lag_s: float | None = None
    dropped: int = 0  # spans that were refused, rejected or forgotten since the start
    memory_bytes: int = 0  # resident, of whoever holds the spans
    endpoints: tuple[str, ...] = ()  # "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment; tiles, tables and exports of it agree.

    Frames have the shapes of `analyzer.analysis`: INSTANCES, SERVICES, SERVICE_EDGES.
    """

    generation: int  # grows with each snapshot of a feed
    at_ns: int  # wall clock
    as_of_ns: int  # "now" of ages and overdue times
    instances: pl.DataFrame
    services: pl.DataFrame
    service_edges: pl.DataFrame
    workflows: Sequence[Workflow] = ()
    findings: Sequence[Finding] = ()
    hotspots: Sequence[Hotspot] = ()
    data_notes: Sequence[DataNote] = ()
    key_suggestions: Sequence[DataNote] = ()
    conformance: Conformance | None = None  # where something was declared
    alerts: Sequence[Alert] = ()
    silences: Sequence[Silence] = ()
    deliveries: Sequence[Outcome] = ()
    finished: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (workflow, state): left
    overflow: int = 0  # instances that were given up for want of memory
    unsaid: Sequence[str] = ()  # fields, and columns as "table.column", that the server leaves out


@runtime_checkable
class Silencing(Protocol):
    """A feed of a source that a `choreoscope serve` watches over."""

    def desk(self) -> Callable[[], Desk] | None:
        """Opens the book in which silences are kept; None where there is none. Cheap."""
        ...


class Feed(Protocol):
    """A source of snapshots with a thread of its own. All methods may be called from any thread."""

    @property
    def status(self) -> Status:
        """The present one."""
        ...

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest; None while loading."""
        ...

    def start(self, told: Callable[[], None]) -> None:
        """Begin; `told` is called, from the feed's thread, when status or snapshot changed."""
        ...

    def stop(self) -> None:
        """End the thread and free what is held; returns within two seconds."""
        ...

    def instance(self, identifier: str) -> Mapping[str, Any]:
        """One instance as `analyzer.reporters.instance_json` describes it (the document, decoded).

        Slow: call it in a worker. Raises LookupError where there is none, OSError where the
        source cannot be reached.
        """
        ...
