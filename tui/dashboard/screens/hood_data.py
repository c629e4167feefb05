"""One service and its neighbours, one hop away: what the drawing is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyzer.reporters.units import count, duration

if TYPE_CHECKING:
    import polars as pl

    from tui.dashboard.feed import Snapshot

SILENT = ("◌", "o")  # called, and sends no span


@dataclass(frozen=True, slots=True)
class Way:
    """One edge to or from a neighbour. Its strings are foreign."""

    neighbour: str
    kind: str  # sync, command, event, reply
    destination: str
    instances: int
    calls: int
    errors: int
    p50_ns: int | None
    p95_ns: int | None
    silent: bool = False

    @property
    def label(self) -> str:
        """`event orders.placed`."""
        return f"{self.kind} {self.destination}".strip()

    @property
    def figures(self) -> str:
        """`111 calls · 2 errors · waits 17ms, p95 98ms`."""
        said = [count(self.calls, "call")]
        if self.errors:
            said.append(count(self.errors, "error"))
        if self.p50_ns is not None and self.p95_ns is not None:
            said.append(f"waits {duration(self.p50_ns)}, p95 {duration(self.p95_ns)}")
        return " · ".join(said)


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The service in the middle, what comes in and what goes out, the busiest first."""

    name: str
    row: dict[str, Any]  # of SERVICES
    incoming: tuple[Way, ...]
    outgoing: tuple[Way, ...]
    edges: pl.DataFrame
    now_ns: int

    @property
    def sides(self) -> tuple[Sequence[Way], Sequence[Way]]:
        """Left and right."""
        return self.incoming, self.outgoing


def neighbourhood(snapshot: Snapshot, name: str) -> Neighbourhood | None:
    """Of that service; None where there is none of that name."""
    import polars as pl

    rows = snapshot.services.filter(pl.col("name") == name)
    near = (pl.col("source") == name) | (pl.col("target") == name)
    edges = snapshot.service_edges.filter(near)
    if rows.is_empty() and edges.is_empty():
        return None
    row = rows.row(0, named=True) if rows.height else {}
    silent = set(snapshot.services.filter(pl.col("spans") == 0)["name"].to_list())
    incoming = _ways(edges.filter(pl.col("target") == name), "source", silent)
    outgoing = _ways(edges.filter(pl.col("source") == name), "target", silent)
    return Neighbourhood(name, row, incoming, outgoing, edges, snapshot.as_of_ns)


def _ways(edges: pl.DataFrame, side: str, silent: set[str]) -> tuple[Way, ...]:
    """A neighbour's ways stand together."""
    import polars as pl

    total = pl.col("calls").sum().over(side)
    ordered = edges.with_columns(total.alias("__total")).sort(
        "__total", side, "calls", "kind", "destination",
        descending=[True, False, True, False, False],
    )  # fmt: skip
    return tuple(
        Way(
            neighbour=row[side],
            kind=row["kind"],
            destination=row["destination"] or "",
            instances=row["instances"],
            calls=row["calls"],
            errors=row["errors"],
            p50_ns=row["p50_wait_ns"],
            p95_ns=row["p95_wait_ns"],
            silent=row[side] in silent,
        )
        for row in ordered.iter_rows(named=True)
    )
