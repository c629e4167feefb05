"""The document of one instance: it fits its schema, and says what the screen needs."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import polars as pl
import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.graphs import expected_steps
from analyzer.learned import followers, usual_steps, wait_between
from analyzer.reporters import instance_detail
from analyzer.reporters.instance_json import document, render
from tests.support.analysis_builder import hostile_shop, shop
from tests.support.hostile import HOSTILE
from tui.commands.schema import schema_text

SYSTEM = "sim:electronics?instances=150&seed=11&faults=lost:0.06,handler-error:0.05&shape="


@pytest.fixture(scope="module", params=["link", "child", "key", "batch"])
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return analyze(SYSTEM + request.param, keys=["order.id=app.order_id"])


def of_state(analysis: Analysis, state: str) -> dict[str, Any]:
    ids = analysis.instances.filter(pl.col("state") == state)["id"].sort()
    assert len(ids), f"no instance is {state}"
    return document(analysis.instance(ids[0]))


def test_every_document_fits_the_schema(analysis: Analysis) -> None:
    schema = json.loads(schema_text("instance"))
    validator = jsonschema.Draft202012Validator(schema)
    for state in sorted(analysis.by_state):
        validator.validate(of_state(analysis, state))
    names = set(of_state(analysis, "complete"))
    assert names == set(schema["properties"]) == set(schema["required"])


@pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))
def test_hostile_names_fit_the_schema(name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("instance")))
    analysis = hostile_shop(name)
    for identifier in analysis.instances["id"]:
        validator.validate(json.loads(render(analysis.instance(identifier))))


def test_nanoseconds_and_rfc_3339_say_the_same(analysis: Analysis) -> None:
    said = of_state(analysis, "complete")
    from analyzer.reporters.units import rfc3339

    for step in said["steps"]:
        assert step["start"] == rfc3339(step["start_ns"])
        assert step["end"] == rfc3339(step["end_ns"])


def test_the_path_adds_up_and_the_activity_too(analysis: Analysis) -> None:
    said = of_state(analysis, "complete")
    start = min(step["start_ns"] for step in said["steps"])
    end = max(step["end_ns"] for step in said["steps"])
    path = said["critical_path"]
    told = sum(part["end_ns"] - part["start_ns"] for part in path)
    assert told == end - path[0]["start_ns"]
    assert said["activity"]["active_ns"] + said["activity"]["waiting_ns"] == end - start


def test_an_absent_step_says_what_was_learned() -> None:
    """The same figures as in the finding's own sentence: "seen 170 of 173 times"."""
    analysis = analyze(SYSTEM + "link")
    stuck = analysis.instances.filter(pl.col("state") == "stuck")["id"].sort()
    for identifier in stuck:
        instance = analysis.instance(identifier)
        said = document(instance)
        for absent, (waiting, finding) in zip(
            said["expected"], expected_steps(instance), strict=True
        ):
            assert (absent["service"], absent["step"]) == (waiting.service, waiting.step)
            assert finding is not None
            assert f"seen {absent['seen']} of" in finding.message
            assert absent["p99_s"] > 0
            assert absent["overdue_s"] == pytest.approx(finding.overdue_s, abs=1e-3)
            there = {(s["service"], s["step"]) for s in said["steps"]}
            assert not there & {(s["service"], s["step"]) for s in absent["not_reached"]}


def test_what_follows_is_what_complete_instances_have_after_it() -> None:
    analysis = analyze("sim:order?instances=80&seed=3")
    steps = analysis.steps.select(pl.col("service", "operation").cast(pl.String))
    first = (steps["service"][0], steps["operation"][0])
    found = followers(analysis, first, [])
    after = [label for label, _ in found]
    assert found[0][1] is None
    assert all(place is None or place < at for at, (_, place) in enumerate(found))
    assert after
    assert first not in after
    assert set(after) <= set(steps.unique().iter_rows())
    assert followers(analysis, first, after) == []
    assert wait_between(analysis, first, ("no such", "step")) is None
    assert usual_steps(analysis, "no such workflow") is None


def test_an_error_and_its_exception_are_there(analysis: Analysis) -> None:
    said = of_state(analysis, "failed")
    wrong = [step for step in said["steps"] if step["error"]]
    assert any(step["error_message"] for step in wrong)
    assert {event["name"] for event in said["events"]} == {"exception"}
    assert {event["step"] for event in said["events"]} <= {step["id"] for step in said["steps"]}
    assert "exception.type" in said["events"][0]["attributes"]


def test_what_is_left_out_is_counted(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = of_state(analysis, "complete")
    every = sum(len(step["attributes"]) for step in whole["steps"])
    monkeypatch.setattr(instance_detail, "ATTRIBUTES_OF_A_STEP", 3)
    monkeypatch.setattr(instance_detail, "ATTRIBUTES", 7)
    part = of_state(analysis, "complete")
    kept = sum(len(step["attributes"]) for step in part["steps"])
    assert kept == 7
    assert part["omitted"]["attributes"] == every - kept
    assert whole["omitted"]["attributes"] == 0


def test_a_long_value_is_cut_and_says_so() -> None:
    said = document(shop().instance("ord-x"))
    assert said["progress"]["usual_steps"] == 5
    assert instance_detail._cut("x" * 10_000) == "x" * 499 + "…"
