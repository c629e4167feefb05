"""Pictures: boxes never overlap, every edge has a way, lanes lead where they should."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.reporters.html.layout import GAP, WIDEST, layered
from analyzer.reporters.html.tracks import MOST, assign

NODES = [f"n{number}" for number in range(12)]
graphs = st.dictionaries(
    st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), st.integers(1, 1000), max_size=30
)


@settings(max_examples=150, deadline=None)
@given(graphs, st.lists(st.floats(40, 300), min_size=12, max_size=12))
def test_boxes_of_a_rank_keep_their_distance(
    edges: dict[tuple[str, str], int], wide: list[float]
) -> None:
    widths = dict(zip(NODES, wide, strict=True))
    layout = layered(widths, edges)
    assert set(layout.places) == set(NODES)
    ranks: dict[int, list[tuple[float, float]]] = {}
    for name, (x, rank) in layout.places.items():
        assert 0 <= rank < layout.ranks
        half = widths[name] / 2
        assert x - half >= -0.01
        assert x + half <= layout.width + 0.01
        ranks.setdefault(rank, []).append((x - half, x + half))
    for boxes in ranks.values():
        for (_, right), (left, _) in pairwise(sorted(boxes)):
            assert left - right >= GAP - 0.01


@settings(max_examples=150, deadline=None)
@given(graphs)
def test_every_edge_has_a_way_over_the_ranks_between(edges: dict[tuple[str, str], int]) -> None:
    layout = layered(dict.fromkeys(NODES, 80.0), edges)
    assert set(layout.bends) == {edge for edge in edges if edge[0] != edge[1]}
    for (source, target), bends in layout.bends.items():
        way = [layout.places[source][1], *(rank for _, rank in bends), layout.places[target][1]]
        steps = {after - before for before, after in pairwise(way)}
        assert steps in ({1}, {-1})


def test_edges_point_down_where_there_is_no_circle() -> None:
    layout = layered(dict.fromkeys("abcd", 80.0), {("a", "b"): 1, ("a", "d"): 1, ("b", "d"): 1,
                                                    ("d", "c"): 1})  # fmt: skip
    assert [layout.places[name][1] for name in "abdc"] == [0, 1, 2, 3]


def test_what_does_not_fit_in_a_rank_goes_to_the_next() -> None:
    names = [f"n{number:02}" for number in range(20)]
    layout = layered({"top": 80.0} | dict.fromkeys(names, 200.0), {("top", n): 1 for n in names})
    assert layout.ranks == 1 + 4  # five of them side by side
    for rank in range(1, 5):
        assert sum(at == rank for _, at in layout.places.values()) * 200 <= WIDEST


def test_the_light_edge_of_a_circle_points_up() -> None:
    layout = layered(dict.fromkeys("abc", 80.0), {("a", "b"): 100, ("b", "c"): 100, ("c", "a"): 3})
    assert [layout.places[name][1] for name in "abc"] == [0, 1, 2]


def test_crossings_that_can_be_avoided_are() -> None:
    layout = layered(dict.fromkeys("abxy", 80.0), {("a", "y"): 1, ("b", "x"): 1})
    left, right = sorted("ab", key=lambda name: layout.places[name][0])
    below = {"a": "y", "b": "x"}
    assert layout.places[below[left]][0] < layout.places[below[right]][0]


def test_nothing_is_laid_out_without_a_crash() -> None:
    assert layered({}, {}).ranks == 0
    assert layered({"a": 80.0}, {("a", "a"): 3}).places == {"a": (40.0, 0)}


@st.composite
def forests(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Edges between 20 rows, all of them downwards."""
    pairs = st.tuples(st.integers(0, 18), st.integers(1, 19)).filter(lambda p: p[0] < p[1])
    return draw(st.lists(pairs, unique=True, max_size=60))


@given(forests())
def test_lanes_lead_from_each_source_to_its_target(edges: list[tuple[int, int]]) -> None:
    lanes = assign(range(20), [(source, target, {}) for source, target in edges])
    assert len(lanes.of_row) == 20
    assert sorted((t.source, t.target) for t in lanes.tracks) == sorted(edges)
    for track in lanes.tracks:
        assert track.source_lane == lanes.of_row[track.source]
        assert track.target_lane == lanes.of_row[track.target]
        assert 0 <= track.lane < MOST
    assert lanes.width <= MOST


@given(forests())
def test_no_step_stands_on_an_edge_that_passes_it(edges: list[tuple[int, int]]) -> None:
    """Where there are lanes enough, an edge goes round the steps between its ends."""
    lanes = assign(range(20), [(source, target, {}) for source, target in edges])
    if lanes.width >= MOST:
        return
    for track in lanes.tracks:
        between = range(track.source + 1, track.target)
        assert all(lanes.of_row[row] != track.lane for row in between)


def test_three_subscribers_stand_on_three_lanes() -> None:
    lanes = assign("pabc", [("p", name, {}) for name in "abc"])
    assert lanes.of_row == [0, 0, 1, 2]
