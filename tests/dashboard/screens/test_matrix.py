"""The heat matrix: order, levels, cost."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.pilot import Pilot

from analyzer.analysis import SERVICE_EDGES
from tests.dashboard.fake import NOW, lines
from tests.dashboard.screens.world import app, edges, page, play, press, world
from tui.dashboard.screens.coupling import Coupling, keyed
from tui.dashboard.screens.matrix_data import LEVELS, MEASURES, matrix, ordered

PAIRS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.integers(0, 10**6)),
    max_size=30,
    unique_by=lambda edge: edge[:2],
)


def calls(at: int, other: int) -> int:
    """Much inside of a cluster, little between two."""
    return 100 + at if at // 10 == other // 10 else 10


def many(count: int) -> pl.DataFrame:
    """So many services in clusters of ten, with an edge from each cluster to the next."""
    pairs = {
        (at, other)
        for at in range(count)
        for other in (
            at // 10 * 10 + (at + 1) % 10,
            at // 10 * 10 + (at + 3) % 10,
            (at + 10) % count if at % 10 == 0 else at // 10 * 10 + (at + 5) % 10,
        )
    }
    rows = [
        (f"svc-{at:03}", f"svc-{other:03}", "sync", "", 5, calls(at, other), 0, 1, 2, NOW, NOW)
        for at, other in sorted(pairs)
    ]
    return pl.DataFrame(rows, schema=SERVICE_EDGES, orient="row")


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_the_order_holds_each_service_once_and_not_the_order_of_the_edges(
    found: list[tuple[str, str, int]],
) -> None:
    names, clusters = ordered(found)
    assert sorted(names) == sorted({name for edge in found for name in edge[:2]})
    assert clusters == sorted(clusters)
    assert (names, clusters) == ordered(found[::-1])


def test_clusters_stand_together() -> None:
    names, clusters = ordered(list(many(40).select("source", "target", "calls").iter_rows()))
    tens = [int(name[4:]) // 10 for name in names]
    runs = 1 + sum(before != after for before, after in pairwise(tens))
    assert runs == len(set(tens)) == 4
    assert len(set(clusters)) == 4


def test_kinds_of_one_pair_are_one_cell() -> None:
    twice = pl.concat([edges(), edges().with_columns(pl.lit("other").alias("kind"))])
    made = matrix(twice)
    place = {name: at for at, name in enumerate(made.names)}
    assert made.values["calls"][place["ship"], place["stock"]] == 704
    assert made.values["errors"][place["ship"], place["stock"]] == 6


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20))
def test_more_is_never_shaded_less_and_the_legend_tells_where_a_level_begins(
    values: list[int],
) -> None:
    rows = [("a", f"t{at:02}", "sync", "", 1, value, 0, 1, 2, NOW, NOW)
            for at, value in enumerate(values)]  # fmt: skip
    made = matrix(pl.DataFrame(rows, schema=SERVICE_EDGES | {"calls": pl.Int64}, orient="row"))
    levels = sorted((value, made.level("calls", at)) for at, value in made.values["calls"].items())
    assert [level for _, level in levels] == sorted(level for _, level in levels)
    assert levels[-1][1] == LEVELS
    assert all(1 <= level <= LEVELS for _, level in levels)
    bounds = made.bounds("calls")
    assert len(bounds) == LEVELS
    assert all(value >= bounds[level - 1] * 0.999 - 1 for value, level in levels)


def test_nothing_at_all() -> None:
    made = matrix(edges().clear())
    assert made.names == ()
    assert all(made.level(measure, (0, 0)) == 0 for measure in MEASURES)


def test_two_hundred_services_are_drawn_line_by_line() -> None:
    async def look(pilot: Pilot[Any]) -> None:
        shown = page(pilot)
        assert isinstance(shown, Coupling)
        assert len(shown.heat.matrix.names) == 200
        begin = time.process_time()
        for _ in range(20):
            shown.heat.action_move(3, 5)
            for y in range(shown.heat.size.height):
                shown.heat.render_line(y)
        assert (time.process_time() - begin) / 20 < 0.1  # 0.02 s on the machine it was made on
        await press(pilot, "end")
        assert shown.heat.row == 199
        last = shown.heat.matrix.names[199]
        assert any(last in line for line in lines(pilot.app))

    play(app(world(service_edges=many(200))), look, "4")


def test_hotspots_of_one_kind_and_place_have_keys_of_their_own() -> None:
    twice = (*world().hotspots, *world().hotspots)
    keys = [key for key, _ in keyed(twice)]
    assert len(set(keys)) == len(keys) == 4
