"""When a process that runs for long should begin anew.

Names are kept once, as the words of `pl.Categorical`, and a process forgets none of them while it
uses any: https://docs.pola.rs/api/python/stable/reference/api/polars.Categories.html. Where names
hold ids (`/orders/8123`, a reply queue for each client) that is as many as spans have come.
"""

from __future__ import annotations

import polars as pl

from collectors.recording import Recording
from collectors.schema import WORD

WORTH = 4  # times the words that are held


def worn(recording: Recording, most: int) -> bool:
    """Whether the process remembers more than `most` words, and few of them are of `recording`."""
    words = [one for one in recording.spans.get_columns() if one.dtype == WORD]
    codes = [one.to_physical().max() for one in words]
    known = max((int(code) for code in codes if isinstance(code, int)), default=-1) + 1
    if known <= most:
        return False
    return known > WORTH * pl.concat([one.drop_nulls() for one in words]).n_unique()
