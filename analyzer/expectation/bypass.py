"""Signs that an absent step did happen: it came by another way, or what follows it came."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import ints
from analyzer.context import Context
from analyzer.stitching.evidence import MAX_SKEW_NS
from analyzer.stitching.roles import Role


def without_bypassed(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Drop absences of steps that the instance shows to have happened.

    A join publishes after whichever branch comes last, and only that branch leads to it. A span
    that was lost, or a send that was not instrumented, leaves what comes after it without a cause.
    """
    frame = frame.with_row_index("absence")
    happened = pl.concat([_by_another_way(context, frame), went_on(context, frame)])
    return frame.join(happened.unique(), on="absence", how="anti").drop("absence")


def _by_another_way(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Absences (column absence) whose step came in the same instance after a step of another
    kind; one that came after another step of the same kind belongs to that one."""
    table = context.table
    concerned = np.zeros(table.instances, dtype=np.bool_)
    inside = frame.filter(~pl.col("message"))
    concerned[ints(inside["instance"])] = True
    edges = np.flatnonzero(concerned[table.instance[table.target]])
    source, target = table.source[edges], table.target[edges]
    came = pl.DataFrame(
        {
            "instance": table.instance[target],
            "b": table.label[target],
            "after": table.label[source],
            "at": table.start[target],
        }
    )
    came = came.group_by("instance", "b", "after").agg(pl.col("at").max())
    joined = inside.select("absence", "instance", "a", "b", "start").join(
        came, on=["instance", "b"]
    )
    other = (pl.col("after") != pl.col("a")) & (pl.col("at") >= pl.col("start"))
    return joined.filter(other).select("absence")


def went_on(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Absences in whose instance the step itself, or one that follows it sooner or later, stands
    without a cause. Calls without their parent are no such sign: a handler that died or hangs
    leaves just these.

    `frame`: columns absence (any id), instance, b (the label that is absent), start (ns, of what
    it should have followed). Gives the column absence.
    """
    table = context.table
    lost = context.index.missing_parent[table.row]
    consumes = np.isin(table.role, (Role.PROCESS, Role.RECEIVE))
    uncaused = ~context.entered & (lost | consumes | ~context.beginning)
    loose = np.flatnonzero(uncaused & ~(lost & (table.role == Role.CALL)))
    stands = pl.DataFrame(
        {
            "instance": table.instance[loose],
            "label": table.label[loose],
            "at": table.start[loose],
        }
    )
    stands = stands.group_by("instance", "label").agg(pl.col("at").max())
    follows = _reachable(context, frame["b"].unique().sort().to_list())
    joined = (
        frame.select("absence", "instance", "b", "start")
        .join(stands, on="instance")
        .join(follows, on=["b", "label"], how="semi")
    )
    return joined.filter(pl.col("at") >= pl.col("start") - MAX_SKEW_NS).select("absence")


def _reachable(context: Context, labels: list[int]) -> pl.DataFrame:
    """Columns b, label: the label itself and all that the learned flow leads to from it."""
    following: dict[int, list[int]] = {}
    for a, b in context.transitions.select("a", "b").iter_rows():
        following.setdefault(a, []).append(b)
    rows: list[tuple[int, int]] = []
    for label in labels:
        seen, stack = {label}, [label]
        while stack:
            for after in following.get(stack.pop(), ()):
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
        rows.extend((label, one) for one in sorted(seen))
    return pl.DataFrame(rows, schema={"b": pl.Int64, "label": pl.Int64}, orient="row")
