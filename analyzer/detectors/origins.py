"""Where an error began: the span, the call it ended, and what each service above it answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, flags, ints, jump
from analyzer.context import Context
from analyzer.duration import plural
from analyzer.stitching.roles import Role
from collectors.schema import Kind, Status

MAX_HOPS = 50
_GRPC_UNREACHED = (1, 4, 14)  # cancelled, deadline exceeded, unavailable: the callee said nothing
_HTTP_UNREACHED = (502, 503, 504)  # said by a proxy, of somebody behind it


def origins(context: Context, steps: Ints) -> Ints:
    """For each failed step the row of the span where its error began: the earliest failed span
    below it that has no failed span below itself."""
    failed_rows = context.status == Status.ERROR
    parent = context.cause_row
    below = np.flatnonzero(failed_rows & (parent >= 0))
    above = jump(parent, failed_rows)[parent[below]]
    has_failed_below = np.zeros(len(parent), dtype=np.bool_)
    has_failed_below[above[above >= 0]] = True
    leaf = np.flatnonzero(failed_rows & ~has_failed_below)
    is_chosen = np.zeros(len(parent), dtype=np.bool_)
    is_chosen[context.table.row[steps]] = True
    top = jump(parent, is_chosen)[leaf]
    under = top >= 0
    leaf, top = leaf[under], top[under]
    deepest = np.argsort(context.start[leaf], kind="stable")[::-1]  # earliest written last
    origin = np.arange(len(parent))
    origin[top[deepest]] = leaf[deepest]
    return origin[context.table.row[steps]]


@dataclass(frozen=True)
class EndedCalls:
    """The calls that errors began in; one entry an origin."""

    row: Ints  # of the client span; -1 where the error began in no call
    callee: pl.Series  # String; null where it is not known
    unanswered: Flags  # nobody below it left a span, though the callee emits or said nothing
    lost: Flags  # the instance has a span of the callee whose parent never came


def ended_calls(context: Context, origin: Ints, instance: Ints) -> EndedCalls:
    """The call that each error began in: the span itself, or the call that it is a part of (a
    name that was not found, a connection that was refused), if nobody answered it."""
    silent = context.role == Role.CALL
    failed = context.status == Status.ERROR
    above = jump(context.stitching.parent, silent)[origin]
    inside = (above >= 0) & failed[above] & (context.service[above] == context.service[origin])
    # a statement that its database refuses is the handler's own error
    remote = context.spans["db_system"][origin].is_null().to_numpy()
    row = np.where(inside, above, np.where(remote & _is_call(context, origin), origin, -1))
    named = pl.DataFrame({"row": row}).join(
        context.calls.select("row", "callee", "emits"), on="row", how="left", maintain_order="left"
    )
    calls = context.spans.select("rpc_status", "http_status")[np.maximum(row, 0)]
    rpc, http = ints(calls["rpc_status"], 0), ints(calls["http_status"], 0)
    unsaid = ((rpc == 0) | np.isin(rpc, _GRPC_UNREACHED)) & (
        (http == 0) | np.isin(http, _HTTP_UNREACHED)
    )
    here = (row >= 0) & silent[np.maximum(row, 0)]
    unanswered = here & (unsaid | flags(named["emits"]))  # who emits would have shown its answer
    lost = here & _died(context, instance, named["callee"])
    return EndedCalls(row, named["callee"], unanswered, lost)


def _is_call(context: Context, rows: Ints) -> Flags:
    messaging = np.isin(context.role[rows], (Role.SEND, Role.PROCESS, Role.RECEIVE))
    return np.asarray((context.kind[rows] == Kind.CLIENT) & ~messaging)


def _died(context: Context, instance: Ints, callee: pl.Series) -> Flags:
    """Whether the instance has a span of that service which names a parent never exported."""
    rows = np.flatnonzero(context.index.missing_parent)
    orphans = pl.DataFrame(
        {
            "instance": context.table.instance_of_row[rows],
            "callee": context.spans["service"][rows].cast(pl.String),
        }
    )
    asked = pl.DataFrame({"instance": instance, "callee": callee}).with_row_index("at")
    sure = asked.join(orphans, on=["instance", "callee"], how="semi")
    nameless = asked.filter(pl.col("callee").is_null()).join(orphans, on="instance", how="semi")
    found = np.zeros(len(asked), dtype=np.bool_)
    found[pl.concat([sure, nameless])["at"].to_numpy()] = True
    return found


def calls_to(context: Context, callee: str) -> tuple[int, int, bool]:
    """(all calls to it, those that failed and left no span there, whether it ever emits)."""
    silent = context.calls.filter(pl.col("callee") == callee)
    failures = int((context.status[ints(silent["row"])] == Status.ERROR).sum())
    served = np.flatnonzero(
        (context.spans["service"].cast(pl.String) == callee).to_numpy()
        & (context.index.parent >= 0)
    )
    caller = context.index.parent[served]
    crossed = (context.kind[caller] == Kind.CLIENT) & (
        context.service[caller] != context.service[served]
    )
    answered = len(np.unique(caller[crossed]))
    return len(silent) + answered, failures, bool(silent["emits"].any())


@dataclass(frozen=True)
class Answer:
    """What a service answered after an error below it, and how often its operation fails."""

    service: str
    name: str
    code: str  # "gRPC 13", "HTTP 500"; "" where it gave none
    failures: int
    times: int

    def __str__(self) -> str:
        said = f"answers {self.code}" if self.code else "fails"
        often = f"{self.failures:,} of {plural(self.times, 'time')}"
        return f"{self.service}: {self.name} {said} ({often})"


def answers_above(context: Context, origin: int) -> list[Answer]:
    """What each failed service above `origin` answered, the nearest first."""
    spans, parent = context.spans, context.cause_row
    told = list[Answer]()
    row, hops = int(parent[origin]), 0
    while row >= 0 and hops < MAX_HOPS:
        if context.status[row] == Status.ERROR and context.kind[row] != Kind.CLIENT:
            rpc, http = spans["rpc_status"][row], spans["http_status"][row]
            code = f"gRPC {rpc}" if rpc else f"HTTP {http}" if http else ""
            times, failures = context.outcomes[int(context.label[row]), int(context.kind[row])]
            name, service = str(spans["name"][row]), str(spans["service"][row])
            told.append(Answer(service, name, code, failures, times))
        row, hops = int(parent[row]), hops + 1
    return told


def error_of(context: Context, row: int) -> str:
    """The error of a span in its own words; "" where it has none."""
    return str(context.spans["error_type"][row] or context.spans["error_message"][row] or "")


def place_of(context: Context, row: int) -> str:
    """ "checkoutservice: oteldemo.CartService/GetCart, gRPC status 14"."""
    spans = context.spans
    parts = [f"{spans['service'][row]}: {spans['name'][row]}"]
    if spans["rpc_status"][row]:
        parts.append(f"gRPC status {spans['rpc_status'][row]}")
    if spans["http_status"][row]:
        parts.append(f"HTTP {spans['http_status'][row]}")
    return ", ".join(parts)
