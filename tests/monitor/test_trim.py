"""What was selected away is not held by the texts that were kept."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from analyzer.monitor.changes import changed
from analyzer.monitor.trim import trimmed
from tests.monitor.test_monitor import World, healthy
from tests.monitor.test_monitor import world as world


def buffered(column: pl.Series) -> int:
    """Bytes of all texts that the column keeps in memory."""
    arrow = column.to_arrow(compat_level=pl.CompatLevel.newest())
    while pa.types.is_list(arrow.type) or pa.types.is_large_list(arrow.type):
        arrow = arrow.values
    return sum(buffer.size for buffer in arrow.buffers()[2:])  # after validity and views


def test_a_few_rows_hold_their_own_texts_only() -> None:
    texts = [f"{number:040d}" for number in range(10_000)]
    whole = pl.DataFrame({"one": texts, "many": [[text, text] for text in texts], "row": 1})
    few = whole.filter(pl.Series(range(10_000)) % 1000 == 0)
    assert min(buffered(few["one"]), buffered(few["many"])) >= 400_000  # else trim is not needed
    found = trimmed(few)
    assert found.equals(few)
    assert found.schema == few.schema
    assert (buffered(found["one"]), buffered(found["many"])) == (400, 800)


def test_nothing_stays_nothing() -> None:
    odd = pl.DataFrame(
        {"a": [None, "x"], "b": [[], None]}, schema={"a": pl.String, "b": pl.List(pl.String)}
    )
    for frame in (odd, odd.clear(), odd.head(1), odd.drop("a"), pl.DataFrame()):
        assert trimmed(frame).equals(frame)


def test_a_change_that_is_kept_does_not_keep_the_look(world: World) -> None:
    """Of hundreds of looks the changes are kept, for those who follow."""
    healthy(world, range(100))
    before = world.monitor.look()
    healthy(world, range(100, 102))
    change = changed(before, world.monitor.look(), {})
    assert 2 <= change.after.height <= 4
    ids, traces = change.after["id"], change.after["trace_ids"]
    assert buffered(ids) + buffered(traces) <= 4 * (ids.str.len_bytes().max() + 32)
