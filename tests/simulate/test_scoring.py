"""The scoreboard counts what it should; it is worth as much as this."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import polars as pl

from analyzer.finding import Cause, Finding, Severity, WaitingFor
from benchmarks.scoring import Score, score
from collectors.recording import Recording, empty_recording
from collectors.simulate import Truth


@dataclass
class Analysis:
    """As much of an analysis as the scoreboard looks at."""

    instances: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    steps: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"instance": pl.UInt32, "span": pl.UInt32})
    )
    recording: Recording = field(default_factory=empty_recording)


def truth(key: str, *traces: str, **changes: object) -> Truth:
    plain: dict[str, object] = {
        "workflow": "order",
        "variant": "ok",
        "state": "complete",
        "states": ["complete"],
        "faults": [],
        "findings": [],
        "accepts": [],
        "causes": [],
        "never_causes": ["lost"],
        "stuck_at": None,
        "waiting_for": None,
        "since_ns": None,
        "judgeable": True,
        "spans": 3,
        "span_ids": [],
        "start_ns": 1,
        "end_ns": 2,
    }
    return Truth(key=key, trace_ids=list(traces), **(plain | changes))  # type: ignore[arg-type]


def lost(key: str, *traces: str) -> Truth:
    return truth(
        key,
        *traces,
        state="stuck",
        states=["stuck"],
        faults=["lost"],
        findings=[["unconsumed-message", "stuck"]],
        accepts=["stuck", "unconsumed-message"],
        causes=["lost"],
        never_causes=[],
    )


def found(*rows: tuple[str, str, list[str], list[str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"id": i, "state": s, "cause": None, "trace_ids": t, "keys": k, "start_ns": n}
            for n, (i, s, t, k) in enumerate(rows)
        ],
        schema_overrides={"cause": pl.String, "keys": pl.List(pl.String)},
    )


def finding(kind: str, cause: str, *members: str, destination: str | None = None) -> Finding:
    return Finding(
        kind,
        Severity.ERROR,
        1.0,
        "",
        members=members,
        causes=(Cause(cause, 1.0),),
        waiting_for=WaitingFor(destination=destination),
    )


def judged(analysis: Analysis, *truths: Truth, unread: tuple[str, ...] = ()) -> Score:
    return score(analysis, truths, unread)  # type: ignore[arg-type]


def test_all_right():
    analysis = Analysis(
        found(("x", "stuck", ["a"], []), ("y", "complete", ["b"], [])),
        (finding("stuck", "lost", "x"),),
    )
    result = judged(analysis, lost("1", "a"), truth("2", "b"))
    assert (result.states_right, result.healthy, result.alarmed) == (2, 1, 0)
    assert (result.got["unconsumed-message"], result.rightly["stuck"]) == (1, 1)
    assert result.causes_right["lost"] == 1
    assert not result.wrong


def test_a_missed_fault_and_a_false_alarm():
    analysis = Analysis(
        found(("x", "complete", ["a"], []), ("y", "stuck", ["b"], [])),
        (finding("stuck", "lost", "y"),),
    )
    result = judged(analysis, lost("1", "a"), truth("2", "b"))
    assert (result.states_right, result.alarmed, result.never) == (0, 1, 1)
    assert (result.said["stuck"], result.rightly["stuck"]) == (1, 0)
    assert result.got["unconsumed-message"] == 0
    assert sorted(w.what for w in result.wrong) == ["false", "missed", "never", "state", "state"]


def test_the_wrong_cause():
    analysis = Analysis(found(("x", "stuck", ["a"], [])), (finding("stuck", "consumer-dark", "x"),))
    result = judged(analysis, lost("1", "a"))
    assert (result.causes["lost"], result.causes_right["lost"]) == (1, 0)


def test_each_cause_has_its_precision_and_recall():
    """Said of a lost message, of a healthy instance, and not said of another lost one."""
    analysis = Analysis(
        found(
            ("x", "stuck", ["a"], []),
            ("y", "stuck", ["b"], []),
            ("z", "stuck", ["c"], []),
            ("w", "complete", ["d"], []),
        ),
        (finding("stuck", "lost", "x", "y"), finding("stuck", "crashed", "z")),
    )
    result = judged(analysis, lost("1", "a"), truth("2", "b"), lost("3", "c"), lost("4", "d"))
    assert result.cause_said == {"lost": 2, "crashed": 1}
    assert result.cause_rightly == {"lost": 1, "crashed": 0}
    assert (result.cause_expected["lost"], result.cause_got["lost"]) == (3, 1)


def test_parts_of_one_instance_are_judged_by_its_beginning():
    analysis = Analysis(
        found(("x", "complete", ["a"], []), ("y", "orphaned", ["b"], [])),
        (finding("orphaned", "unknown", "y"),),
    )
    result = judged(analysis, truth("1", "a", "b"))
    assert (result.states_right, result.alarmed) == (1, 1)  # what is said of a part counts


def test_instances_in_one_trace_are_told_apart_by_their_spans():
    spans = empty_recording().spans.clear(2).with_columns(pl.Series("span_id", [7, 8], pl.UInt64))
    analysis = Analysis(
        found(("x", "stuck", ["a"], []), ("y", "complete", ["a"], [])),
        steps=pl.DataFrame(
            {"instance": [0, 1], "span": [1, 0]},
            schema={"instance": pl.UInt32, "span": pl.UInt32},
        ),
        recording=replace(empty_recording(), spans=spans),
    )
    told = truth("1", "a", span_ids=["0000000000000007"])
    stuck = truth("2", "a", span_ids=["0000000000000008"], state="stuck", states=["stuck"])
    assert judged(analysis, told, stuck).states_right == 2
    assert judged(analysis, told, truth("2", "a")).unmatched == 1


def test_an_instance_that_swallowed_another_leaves_it_unmatched():
    analysis = Analysis(found(("x", "complete", ["a", "b"], [])))
    result = judged(analysis, truth("1", "a"), truth("2", "b"))
    assert (result.unmatched, result.states_right) == (1, 1)


def test_a_destination_that_nobody_reads_is_no_alarm_where_that_is_so():
    analysis = Analysis(
        found(("x", "complete", ["a"], [])),
        (finding("unconsumed-message", "no-known-consumer", "x", destination="parcel.assigned"),),
    )
    assert judged(analysis, truth("1", "a"), unread=("parcel.assigned",)).alarmed == 0
    assert judged(analysis, truth("1", "a"), unread=("other",)).alarmed == 1


def test_waiting_is_as_good_as_running():
    analysis = Analysis(found(("x", "waiting", ["a"], [])))
    told = truth("1", "a", state="running", states=["running", "late"])
    assert judged(analysis, told).states_right == 1
