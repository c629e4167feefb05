"""Laws of every finding: causes in order, evidence that exists, a fingerprint that stays."""

from __future__ import annotations

import random
from functools import cache

import polars as pl
import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.detection import VERDICTS, Detection, nothing
from analyzer.detectors.compensation import told_once
from analyzer.expectation.watermark import FUTURE_NS
from analyzer.finding import Finding, State
from collectors.simulate import FAULTS, Scenario, ScenarioError, simulate, to_json
from tests.support.spans import COUPLING, recorded

SECOND = 10**9


@cache
def analysed(fault: str) -> tuple[Analysis, Analysis] | None:
    """A simulated system with that fault; and the same from shuffled lines."""
    share = {"skew": 2.0, "sampling": 0.5, "broken-propagation": 1.0}.get(fault, 0.2)
    for system in ("electronics", "order", "exit", "login", "recommendations"):
        try:
            scenario = Scenario(system, 60, 11, {fault: share}, "link")
        except ScenarioError:
            continue
        lines = [to_json(request) for request in simulate(scenario)[0]]
        other = list(lines)
        random.Random(1).shuffle(other)
        return analyze(recorded(lines)), analyze(recorded(other))
    return None


@pytest.fixture(params=sorted(FAULTS), scope="module")  # all laws of one before the next
def both(request: pytest.FixtureRequest) -> tuple[Analysis, Analysis]:
    found = analysed(request.param)
    if found is None:
        pytest.skip("no system here can have this fault")
    return found


def judged(analysis: Analysis) -> list[Finding]:
    return [one for one in analysis.findings if one.kind not in COUPLING]


def test_causes_are_ranked_and_the_first_is_the_cause(both: tuple[Analysis, Analysis]) -> None:
    for one in both[0].findings:
        assert one.causes, one
        assert one.cause == one.causes[0].cause
        sure = [cause.confidence for cause in one.causes]
        assert sure == sorted(sure, reverse=True), one
        assert len({cause.cause for cause in one.causes}) == len(one.causes)
        assert all(0 <= level <= 1 for level in (*sure, one.confidence))


def test_evidence_is_in_the_recording(both: tuple[Analysis, Analysis]) -> None:
    spans = both[0].recording.spans.select("trace_hi", "trace_lo", "span_id")
    there = {(f"{hi:016x}{lo:016x}", f"{span:016x}") for hi, lo, span in spans.iter_rows()}
    for one in both[0].findings:
        assert one.evidence or not one.instances, one
        assert {(item.trace_id, item.span_id) for item in one.evidence} <= there
        assert set(one.trace_ids) <= {trace for trace, _ in there}
        assert all(item.role for item in one.evidence)


def test_findings_name_instances_that_exist(both: tuple[Analysis, Analysis]) -> None:
    ids = set(both[0].instances["id"])
    workflows = {one.name for one in both[0].workflows}
    for one in judged(both[0]):
        named = {one.instance} - {None} | set(one.members)
        assert named <= ids
        assert len(named) == min(one.instances, 1000)
        assert one.workflow is None or one.workflow in workflows
        if one.deadline_ns is not None and one.since_ns is not None:
            assert one.deadline_ns >= one.since_ns


def test_fingerprints_are_unique_and_the_same_in_any_order_of_arrival(
    both: tuple[Analysis, Analysis],
) -> None:
    prints = [one.fingerprint for one in both[0].findings]
    assert prints == [one.fingerprint for one in both[1].findings]
    assert len(set(prints)) == len(prints)


def test_fingerprints_do_not_change_as_time_goes_by(both: tuple[Analysis, Analysis]) -> None:
    first, _ = both
    later = analyze(first.recording, as_of_ns=first.as_of_ns + FUTURE_NS)
    lasting = {one.fingerprint for one in first.findings if one.kind in ("failed", "dead-lettered")}
    assert lasting <= {one.fingerprint for one in later.findings}


def test_states_are_declared_and_counted(both: tuple[Analysis, Analysis]) -> None:
    first, _ = both
    assert set(first.by_state) <= {state.value for state in State}
    assert sum(first.by_state.values()) == len(first.instances)
    assert sum(one.instances for one in first.workflows) == len(first.instances)
    for one in first.workflows:
        assert sum(one.by_state.values()) == one.instances


def test_an_instance_that_is_in_trouble_has_a_finding(both: tuple[Analysis, Analysis]) -> None:
    """Whatever the state blames is told by a finding that names the instance."""
    first, _ = both
    told = {name for one in first.findings for name in (one.instance, *one.members)}
    bad = ("stuck", "late", "failed", "dead-lettered", "orphaned", "unknown")
    blamed = first.instances.filter(first.instances["state"].is_in(bad))["id"]
    assert set(blamed) <= told


def test_an_undoing_that_two_detectors_miss_is_one_finding() -> None:
    """What should be undone says it, with the deadline of what usually follows."""

    def verdict(instance: int, b: int, kind: str, due: int | None) -> pl.DataFrame:
        row = {"instance": instance, "b": b, "kind": kind, "deadline_ns": due}
        return pl.DataFrame([row], schema={name: VERDICTS[name] for name in row})

    kind = "incomplete-compensation"
    waiting = Detection(
        pl.concat([verdict(1, 7, kind, 50), verdict(1, 8, kind, 60), verdict(1, 7, "late", 70)])
    )
    undone = Detection(pl.concat([verdict(1, 7, kind, None), verdict(2, 7, kind, None)]))
    left, told = told_once(waiting, undone)
    assert left.frame.rows() == [(1, 8, kind, 60), (1, 7, "late", 70)]
    assert told.frame.rows() == [(1, 7, kind, 50), (2, 7, kind, None)]
    assert told_once(nothing(), undone)[1] is undone
