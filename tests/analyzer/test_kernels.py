"""The kernels against slow and obvious oracles."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from analyzer import codes
from analyzer.codes import combine, encode, jump, look_up, matches, of_words, trace_codes
from analyzer.expectation.flow import burst, runs_p_value, wilson
from analyzer.expectation.watermark import FUTURE_NS, watermark
from analyzer.stitching.index import break_cycles
from analyzer.stitching.stitch import components
from collectors import schema
from collectors.schema import Quality

many = settings(max_examples=60, deadline=None)
HOUR_NS = 3_600 * 10**9


@st.composite
def pointers(draw: st.DrawFn) -> np.ndarray:
    """A row or -1 for every row; with circles and rows that point at themselves."""
    size = draw(st.integers(0, 40))
    return np.array(
        draw(st.lists(st.integers(-1, max(size - 1, -1)), min_size=size, max_size=size)),
        dtype=np.int64,
    )


# --- pointers ----------------------------------------------------------------------------------


@many
@given(pointers(), st.randoms())
def test_jump_stops_where_a_loop_would(pointer: np.ndarray, random: object) -> None:
    parent, _ = break_cycles(pointer)
    stop = np.array([random.random() < 0.4 for _ in parent], dtype=np.bool_)  # type: ignore[attr-defined]
    wanted = []
    for row in range(len(parent)):
        at = row
        while at >= 0 and not stop[at]:
            at = int(parent[at])
        wanted.append(at)
    assert jump(parent, stop).tolist() == wanted


@many
@given(pointers())
def test_break_cycles_cuts_each_circle_once_at_its_lowest_row(pointer: np.ndarray) -> None:
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(pointer)))
    graph.add_edges_from((row, int(up)) for row, up in enumerate(pointer) if up >= 0)
    lowest = {min(circle) for circle in nx.simple_cycles(graph)}
    parent, cut = break_cycles(pointer)
    assert set(np.flatnonzero(cut).tolist()) == lowest
    assert (parent[~cut] == pointer[~cut]).all()
    assert (parent[cut] == -1).all()


@pytest.mark.parametrize("length", [1, 2, 3, 100_000])
def test_one_long_circle_is_cut_once(length: int) -> None:
    parent, cut = break_cycles(np.roll(np.arange(length), 1))
    assert np.flatnonzero(cut).tolist() == [0]
    assert (jump(parent, parent < 0) == 0).all()


def test_a_chain_of_any_length_is_followed_to_its_root() -> None:
    parent = np.arange(-1, 99_999)
    assert (jump(parent, parent < 0) == 0).all()
    assert not break_cycles(parent)[1].any()


# --- codes and look-ups ------------------------------------------------------------------------

ids = st.integers(0, 3) | st.sampled_from([2**63, 2**64 - 1])
keys = st.lists(st.tuples(ids, ids, ids), max_size=25)


def columns(rows: list[tuple[int, ...]]) -> tuple[np.ndarray, ...]:
    table = np.array(rows, dtype=np.uint64).reshape(len(rows), 3)
    return tuple(np.ascontiguousarray(table[:, number]) for number in range(3))


@many
@given(st.lists(st.tuples(ids, ids, ids), max_size=25, unique=True), keys, st.integers(0, 2))
def test_look_up_is_a_dictionary_even_where_hashes_collide(
    table: list[tuple[int, ...]], query: list[tuple[int, ...]], bits: int
) -> None:
    wanted = {row: number for number, row in enumerate(table)}
    with pytest.MonkeyPatch.context() as patch:
        if bits:  # a hash of that many bits
            mask = np.uint64(2**bits - 1)
            real = codes._hash
            patch.setattr(codes, "_hash", lambda columns: real(columns) & mask)
        found = look_up(columns(table), columns(query))  # type: ignore[arg-type]
    assert found.tolist() == [wanted.get(row, -1) for row in query]


@many
@given(st.lists(st.tuples(ids, ids), max_size=25), st.booleans())
def test_trace_codes_are_the_same_exactly_where_the_ids_are(
    rows: list[tuple[int, int]], collide: bool
) -> None:
    table = np.array(rows, dtype=np.uint64).reshape(len(rows), 2)
    with pytest.MonkeyPatch.context() as patch:
        if collide:
            patch.setattr(codes, "_hash", lambda cols: np.zeros(len(cols[0]), dtype=np.uint64))
        code, first = trace_codes(table[:, 0].copy(), table[:, 1].copy())
    assert len(first) == len(set(rows))
    assert [rows[int(first[one])] for one in code] == rows


@many
@given(st.lists(st.tuples(st.integers(-2, 3), st.integers(-1, 9), st.integers(-1, 1)), min_size=1))
def test_combined_codes_are_the_same_exactly_where_the_tuples_are(
    rows: list[tuple[int, int, int]],
) -> None:
    table = np.array(rows, dtype=np.int64)
    code, first = combine(*(np.ascontiguousarray(table[:, n]) for n in range(3)))
    assert [rows[int(first[one])] for one in code] == rows
    assert len(set(code.tolist())) == len(set(rows)) == len(first)


@many
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=30))
def test_components_are_those_of_networkx(size: int, links: list[tuple[int, int]]) -> None:
    links = [(a % size, b % size) for a, b in links]
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(links)
    rows = np.array(links, dtype=np.int64).reshape(len(links), 2)
    found = components(np.arange(size), rows[:, 0], rows[:, 1])
    wanted = list(nx.connected_components(graph))
    assert {frozenset(np.flatnonzero(found == code).tolist()) for code in set(found.tolist())} == {
        frozenset(part) for part in wanted
    }
    assert sorted(set(found.tolist())) == list(range(len(wanted)))


@many
@given(st.lists(st.integers(0, 5), max_size=12), st.lists(st.integers(0, 5), max_size=12))
def test_matches_are_all_pairs_of_equal_codes(left: list[int], right: list[int]) -> None:
    one, other = matches(np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), 6)
    wanted = [(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if a == b]
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == wanted


@many
@given(st.lists(st.sampled_from(["a", "ab", "b", None]), max_size=12))
def test_of_words_is_asked_of_each_word(words: list[str | None]) -> None:
    column = pl.Series(words, dtype=pl.Categorical())
    found = of_words(column, lambda one: one.str.starts_with("a"))
    assert found.tolist() == [word is not None and word.startswith("a") for word in words]


@pytest.mark.parametrize("far", [0, 2**40])
def test_encode_counts_up_by_first_appearance(far: int) -> None:
    code, first = encode(np.array([7, 3 + far, 7, 5]))
    assert (code.tolist(), first.tolist()) == ([0, 1, 0, 2], [0, 1, 3])


def test_components_of_one_chain_are_one_whatever_its_numbers() -> None:
    chain = np.random.default_rng(1).permutation(100_000)
    assert not components(np.arange(len(chain)), chain[1:], chain[:-1]).any()


# --- statistics --------------------------------------------------------------------------------


@many
@given(st.integers(1, 400), st.data())
def test_wilson_is_that_of_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    wanted = binomtest(k, n).proportion_ci(method="wilson")
    low, high = wilson(k, n)
    assert low == pytest.approx(wanted.low, abs=1e-4)
    assert high == pytest.approx(wanted.high, abs=1e-4)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@many
@given(st.lists(st.booleans(), min_size=2, max_size=11))
def test_runs_test_is_the_share_of_arrangements_with_so_few_runs(flags: list[bool]) -> None:
    ones = sum(flags)

    def runs(row: tuple[bool, ...]) -> int:
        return 1 + sum(a != b for a, b in itertools.pairwise(row))

    found = runs_p_value(np.array(flags))
    if ones in (0, len(flags)):
        assert found == 1.0
        return
    ways = [
        runs(tuple(place in chosen for place in range(len(flags))))
        for chosen in itertools.combinations(range(len(flags)), ones)
    ]
    assert found == pytest.approx(sum(way <= runs(tuple(flags)) for way in ways) / len(ways))


def test_runs_test_is_smooth_where_the_exact_count_ends() -> None:
    """Exact below 500 of a kind, normal beyond: nearly the same at the border."""
    rng = np.random.default_rng(3)
    flags = rng.random(998) < 0.5
    exact = runs_p_value(flags[:998])
    longer = np.concatenate([flags, rng.random(200) < 0.5])
    total = len(longer)
    ones = int(longer.sum())
    runs = 1 + int((longer[1:] != longer[:-1]).sum())
    mean = 1 + 2 * ones * (total - ones) / total
    deviation = math.sqrt((mean - 1) * (mean - 2) / (total - 1))
    assert runs_p_value(longer) == pytest.approx(
        0.5 * math.erfc((mean - runs - 0.5) / deviation / math.sqrt(2)), abs=0.01
    )
    assert 0 < exact < 1


def test_a_fault_window_is_a_burst_and_scattered_faults_are_none() -> None:
    window = np.zeros(200, dtype=np.bool_)
    window[80:90] = True
    assert burst(window)
    scattered = np.zeros(200, dtype=np.bool_)
    scattered[::20] = True
    assert not burst(scattered)
    assert not burst(np.ones(50, dtype=np.bool_))
    assert not burst(np.zeros(50, dtype=np.bool_))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 30))
def test_chance_hardly_ever_looks_like_a_burst(seed: int, gone: int) -> None:
    """At most a few of 200 shuffles: the promise is one in a hundred."""
    rng = np.random.default_rng(seed)
    flags = np.zeros(120, dtype=np.bool_)
    flags[:gone] = True
    assert sum(burst(rng.permutation(flags)) for _ in range(200)) <= 8


# --- watermark ---------------------------------------------------------------------------------


def ended(ends: list[int], quality: list[int] | None = None) -> pl.DataFrame:
    rows = {"start_ns": ends, "end_ns": ends, "quality": quality or [0] * len(ends)}
    return schema.complete(pl.DataFrame(rows, schema_overrides={"end_ns": pl.Int64}), schema.SPANS)


times = st.lists(st.integers(0, 2**62), min_size=1, max_size=40)


@many
@given(times, st.randoms())
def test_watermark_is_the_latest_end_in_any_order(ends: list[int], random: object) -> None:
    shuffled = list(ends)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert watermark(ended(shuffled)) == watermark(ended(ends)) == (max(ends), 0)


@many
@given(times, times)
def test_watermark_never_goes_back_when_spans_come(first: list[int], more: list[int]) -> None:
    assert watermark(ended(first + more))[0] >= watermark(ended(first))[0]


@many
@given(times, st.integers(0, 2**62))
def test_no_end_beyond_the_wall_clock_moves_it(ends: list[int], wall: int) -> None:
    latest, strays = watermark(ended(ends), wall)
    credible = [one for one in ends if one <= wall + FUTURE_NS]
    if credible:
        assert (latest, strays) == (max(credible), len(ends) - len(credible))
    else:  # a recording of a future that has begun elsewhere: better a clock than none
        assert (latest, strays) == (max(ends), 0)


def test_spans_without_a_credible_time_do_not_move_it() -> None:
    flagged = [int(Quality.ZERO_TIME), int(Quality.CLAMPED_TIME), 0]
    assert watermark(ended([0, 2**63 - 1, 5], flagged)) == (5, 0)
    assert watermark(ended([0], [int(Quality.ZERO_TIME)])) == (0, 0)
    assert watermark(ended([])) == (0, 0)


def test_one_clock_gone_wrong_among_many_does_not_move_it() -> None:
    usual = [n * HOUR_NS // 1000 for n in range(2000)]
    assert watermark(ended([*usual, 400 * 24 * HOUR_NS])) == (usual[-1], 1)


def test_a_last_step_days_later_does_move_it() -> None:
    usual = [n * 24 * HOUR_NS for n in range(2000)]
    late = usual[-1] + 7 * 24 * HOUR_NS
    assert watermark(ended([*usual, late])) == (late, 0)
