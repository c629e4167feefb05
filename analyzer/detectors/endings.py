"""How the work on a message ended where its status does not tell: settled, given back, buried."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Flags, of_words
from analyzer.context import Context
from analyzer.stitching.roles import Role

GIVEN_BACK = ("abandon", "defer", "dead_letter")


def ended(context: Context, *ways: str) -> Flags:
    """By step: whether its message was settled in one of `ways` (values of `disposition`), by
    the step itself, by a span below it, or by one that links to it."""
    table = context.table
    rows = np.flatnonzero(of_words(context.spans["disposition"], lambda w: w.is_in(list(ways))))
    found = np.zeros(len(table), dtype=np.bool_)
    if not len(rows):
        return found
    owner = context.owner[rows]
    links = pl.DataFrame({"row": context.index.link_source, "to": context.index.link_target})
    linked = links.filter((pl.col("to") >= 0) & pl.col("row").is_in(rows[owner < 0].tolist()))
    steps = np.concatenate([owner, context.owner[linked["to"].to_numpy()]])
    found[steps[steps >= 0]] = True
    return found & np.isin(table.role, (Role.PROCESS, Role.RECEIVE)) | _itself(context, rows)


def _itself(context: Context, rows: np.ndarray) -> Flags:
    """Steps that are spans of `rows`, shared ones too."""
    own = np.zeros(len(context.spans), dtype=np.bool_)
    own[rows] = True
    return own[context.table.row]
