"""The time to detection: prefixes are what was to be seen, and the first moment counts."""

from __future__ import annotations

from math import inf

import polars as pl
import pytest

from benchmarks import delay, grid
from benchmarks.delay import Delay, prefix, quantile, replay
from collectors import read
from collectors.simulate import Scenario

URI = "sim:order?instances=60&shape=batch&faults=lost:0.1,handler-error:0.1"


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_prefix_holds_what_had_ended_and_what_hangs_on_it(share: float) -> None:
    whole = read([URI])
    ends = sorted(whole.spans["end_ns"])
    moment = ends[0] + round(share * (ends[-1] - ends[0]))
    part = prefix(whole, moment)
    assert part.spans.equals(whole.spans.filter(pl.col("end_ns") <= moment))
    assert hung(part.spans, part.links) == {
        one for one in hung(whole.spans, whole.links) if one[0] in {*part.spans["span_id"]}
    }
    assert hung(part.spans, part.events) == {
        one for one in hung(whole.spans, whole.events) if one[0] in {*part.spans["span_id"]}
    }


def hung(spans: pl.DataFrame, rows: pl.DataFrame) -> set[tuple[object, ...]]:
    """The rows with the id of their span instead of its place."""
    owner = spans["span_id"].gather(rows["span"])
    return set(rows.with_columns(owner.alias("span")).iter_rows())


def test_a_prefix_keeps_the_attributes_of_its_links() -> None:
    whole = read([URI])
    part = prefix(whole, sorted(whole.spans["end_ns"])[whole.spans.height // 2])
    assert 0 < part.link_attributes.height < whole.link_attributes.height
    assert set(part.link_attributes["link"]) <= set(range(part.links.height))


def test_what_is_never_found_takes_longest() -> None:
    some = [Delay("lost", seconds) for seconds in (3.0, inf, 1.0, 2.0)]
    assert [quantile(some, share) for share in (0.25, 0.5, 0.75, 0.9)] == [1.0, 2.0, 3.0, inf]


def test_a_fault_is_timed_from_its_moment_to_its_first_mention() -> None:
    """Judged at the moments of the replay, not before the fault and not after the recording."""
    scenario = Scenario("order", 60, 3, {"handler-error": 0.2}, length_ns=120 * 10**9)
    labelled = grid.played(scenario)
    replayed = replay(labelled)
    timed = [one for one in labelled.truths if one.findings]
    assert len(replayed.delays) == len(timed) > 3
    for one in replayed.delays:
        assert one.fault == "handler-error"
        assert 0 <= one.seconds < 30


def test_a_healthy_recording_has_nothing_to_time() -> None:
    replayed = replay(grid.played(Scenario("order", 30, 3)))
    assert replayed.delays == []
    assert replayed.moments == 1
    assert replayed.alarmed == {}


def test_moments_follow_each_fault_and_end_with_the_recording() -> None:
    second = 10**9
    moments = list(delay._moments([100 * second], 130 * second))
    assert [m // second for m in moments] == [101, 102, 103, 105, 107, 110, 115, 120, 125, 130]


def test_the_grid_has_every_system_shape_and_fault() -> None:
    scenarios = list(grid.grid(False, 10, 1))
    seen = {(one.system, one.style, one.shape) for one in scenarios}
    assert len(seen) == 7 * 2 * 4
    alone = {(next(iter(one.faults)), one.shape) for one in scenarios if len(one.faults) == 1}
    assert alone >= {(fault, shape) for fault in grid.FAULTS for shape in grid.SHAPES}


def test_the_recordings_of_the_lab_are_scored_too() -> None:
    names = [one.name for one in grid.recordings()]
    assert len(names) == 8
    assert "lab killed-in-mid-work" in names


def test_scenarios_are_samples_of_their_own_and_shapes_are_the_same_sample() -> None:
    seeds: dict[tuple[str, str, str, str, str, int], set[int]] = {}
    for one in grid.grid(False, 10, 7):
        kind = (one.system, one.style, one.broker, one.semconv, ",".join(one.faults), one.gap_ns)
        seeds.setdefault(kind, set()).add(one.seed)
    assert {len(own) for own in seeds.values()} == {1}
    assert len(set.union(*seeds.values())) > 0.95 * len(seeds)
