"""`learn`: only what the data carry, and a file that keeps what people did to it."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.checks import Outcome
from analyzer.conformance.declared import Declared
from analyzer.conformance.file import parse, schema
from analyzer.conformance.learned import LearnedWorkflow, learned, nice
from analyzer.conformance.writing import (
    MARK,
    new_file,
    quoted,
    updated,
    without_evidence,
    written,
)
from collectors import read
from tests.conformance.test_file import plain
from tests.conformance.test_rules import order, orders
from tests.support.hostile import HOSTILE
from tests.support.spans import Tape

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "learned-demo.yaml"
SOURCES = (
    str(ROOT / "fixtures/recordings/killed-in-mid-work"),
    "sim:order?instances=60&seed=3",
    "sim:electronics?instances=60&faults=lost:0.1&shape=link&seed=3",
    "sim:exit?instances=40&shape=key&seed=5",
)


@cache
def of(source: str) -> tuple[Analysis, tuple[LearnedWorkflow, ...]]:
    found = analyze(read([source]))
    return found, learned(found)


def demo() -> tuple[LearnedWorkflow, ...]:
    return of(str(ROOT / "fixtures/demo/orders.jsonl.gz"))[1]


def test_what_is_learned_of_the_demo() -> None:
    """The golden file; `python -m tests.conformance.test_learn` writes it anew."""
    assert new_file(demo(), (), ()) == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_learned_holds_of_the_complete_instances_it_is_learned_from(source: str) -> None:
    """Nothing that `learn` wrote is broken but by instances that are not complete."""
    found, workflows = of(source)
    text = new_file(workflows, (), ())
    Draft202012Validator(schema()).validate(plain(text))
    again = analyze(found.recording, declared=Declared(parse(text, "e.yaml")))
    complete = dict(found.instances.select("id", "state").iter_rows())
    assert again.conformance is not None
    for check in again.conformance.checks:
        for name in check.examples:
            assert complete[name] not in ("complete", "compensated"), check
        assert check.outcome is not Outcome.UNJUDGED, check


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_spans_give_the_same_file(source: str) -> None:
    once, twice = (new_file(learned(analyze(read([source]))), (), ()) for _ in range(2))
    assert once == twice


@pytest.mark.parametrize("source", SOURCES)
def test_an_update_from_the_same_recording_changes_nothing(source: str) -> None:
    text = new_file(of(source)[1], ("order.id=app.id", "b"), ("a hint",))
    assert updated(text, "e.yaml", of(source)[1], ("a hint",)) == text


def test_little_data_carry_little() -> None:
    assert learned(orders(4).analyze()) == ()
    [few] = learned(orders(6).analyze())
    assert [(one.required, one.within_ns) for one in few.steps] == [(False, None)] * 2
    [more] = learned(orders(25).analyze())
    assert [one.required for one in more.steps] == [False, False]
    assert all(one.within_ns for one in more.steps)
    [many] = learned(orders(80).analyze())
    assert all(one.required for one in many.steps)


def test_a_step_that_some_lack_is_not_required() -> None:
    tape = Tape()
    for n in range(80):
        root = tape.serve("shop", "POST /orders", n * 2.0)
        tape.send("shop", "orders", n * 2.0 + 0.01, parent=root)
        if n % 3:
            tape.send("shop", "vouchers", n * 2.0 + 0.02, parent=root)
    [workflow] = learned(tape.analyze())
    required = {one.name.operation: one.required for one in workflow.steps}
    assert required == {"publish orders": True, "publish vouchers": False}


def test_outcomes_that_never_came_together_are_exclusive_and_ends() -> None:
    rng = random.Random(1)
    tape = Tape()
    for n in range(60):
        root = tape.serve("shop", "POST /orders", n * 2.0)
        tape.send("shop", rng.choice(["yes", "no"]), n * 2.0 + 0.01, parent=root)
    [workflow] = learned(tape.analyze())
    assert workflow.ends is not None
    assert {one.operation for one in workflow.ends.names} == {"publish yes", "publish no"}
    assert len(workflow.exclusive) == 1


@given(st.floats(min_value=0, max_value=1e17, allow_nan=False))
def test_a_deadline_is_no_shorter_than_it_must_be_and_can_be_written(span: float) -> None:
    deadline = nice(span)
    assert deadline >= span
    text = f"workflows: {{a: {{starts: x, within: {written(deadline)}}}}}"
    assert parse(text, "e").workflows[0].within_ns == deadline


@pytest.mark.parametrize("name", [*HOSTILE.values(), "a: b", "- x", "#~ x", "'", '"', "*&!|>%@`"])
def test_any_name_can_be_written_and_read(name: str) -> None:
    if not name.strip():
        return
    try:
        name.encode()
    except UnicodeEncodeError:
        return  # no name of a span: OTLP texts are UTF-8
    text = f"workflows:\n  a: {{starts: {{step: {quoted(name)}, service: {quoted(name)}}}}}\n"
    [start] = parse(text, "e.yaml").workflows[0].starts
    assert (start.operation, start.service) == (name, name)


# -- what people do to the file --------------------------------------------------------------------


def test_an_update_says_what_is_new_and_what_a_value_would_be() -> None:
    text = new_file(demo(), (), ())
    edited = text.replace(
        '"process orders", service: "logistics"', '"process orders", service: "lo*"'
    )
    edited = re.sub(r"within: 10s(.*)", r"within: 3m\1  # promised to the customer", edited)
    edited = re.sub(r'.*step: "publish parcels.*\n', "", without_evidence(edited))
    after = updated(edited, "e.yaml", demo())
    assert "within: 3m, required: true}  # promised to the customer" in after
    assert "by this recording: within 10s" in after
    assert (
        f'{MARK} not in this file: {{step: "publish parcels parcel.assigned", service: "logistics"'
        in after
    )
    steps = parse(after, "e.yaml").workflows[0].steps
    assert "publish parcels parcel.assigned" not in {one.name.operation for one in steps}


def test_a_workflow_that_was_removed_stays_removed_and_is_named() -> None:
    after = updated("workflows: {}\n", "e.yaml", demo())
    assert parse(after, "e.yaml").workflows == ()
    assert f"{MARK} not in this file: 260 instances of shop: POST /orders" in after


def test_evidence_inside_a_text_is_left_alone() -> None:
    text = "workflows:\n  a:\n    starts: |\n      x\n      #~ no comment\n"
    with pytest.raises(ValueError, match="is part of a text"):
        updated(text, "e.yaml", demo())


Edit = tuple[str, int]
edits = st.lists(
    st.tuples(
        st.sampled_from(["comment", "remove", "value", "blank", "rename"]), st.integers(0, 200)
    ),
    max_size=6,
)


def edit(text: str, how: Edit) -> str:
    """One thing that people do to a file."""
    what, number = how
    lines = text.splitlines(keepends=True)
    steps = [at for at, line in enumerate(lines) if line.lstrip().startswith("- {step:")]
    if what == "comment":
        at = number % len(lines)
        indent = re.match(r" *", lines[at])
        lines.insert(at, f"{indent[0] if indent else ''}# note {number}\n")
    elif what == "blank":
        lines.insert(number % len(lines), "\n")
    elif what == "rename":
        return text.replace("shop-post-orders:", f"orders-{number}:")
    elif steps and what == "remove" and len(steps) > 1:
        del lines[steps[number % len(steps)]]
    elif steps and what == "value":
        at = steps[number % len(steps)]
        lines[at] = re.sub(r"within: \w+", f"within: {number + 1}m", lines[at])
    return "".join(lines)


@settings(max_examples=40, deadline=None)
@given(edits)
def test_edits_survive_every_update(changes: list[Edit]) -> None:
    """Beside the evidence every byte stays, whatever was edited; a second update is the first."""
    text = new_file(demo(), ("order.id",), ())
    for change in changes:
        text = edit(text, change)
    once = updated(text, "e.yaml", demo())
    assert without_evidence(once) == without_evidence(text)
    assert updated(once, "e.yaml", demo()) == once
    other = of(SOURCES[1])[1]
    assert without_evidence(updated(once, "e.yaml", other)) == without_evidence(text)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_stay_as_they_are(end: str, last: bool) -> None:
    text = end.join(without_evidence(new_file(demo(), (), ())).split("\n"))
    text = text if last else text.rstrip("\r\n")
    after = updated(text, "e.yaml", demo())
    assert without_evidence(after) == text
    assert MARK in after
    assert after.count("\r\n") == (after.count("\n") if end == "\r\n" else 0)


def test_faults_in_the_recording_are_not_learned_as_what_is_meant() -> None:
    """A step that is absent where an instance broke off is required all the same."""
    tape = orders(80)
    for n in range(5):
        order(tape, 200.0 + n, None)
    tape.span("clock", "tick", 1000.0)
    [workflow] = [one for one in learned(tape.analyze()) if one.starts.service == "shop"]
    assert (workflow.instances, workflow.complete) == (85, 80)
    assert all(one.required for one in workflow.steps)


@pytest.mark.parametrize(
    "name",
    [
        "tt_faultfree_2023-01-30_1138.jsonl",
        "ob_2022-08-22_0510_checkout-return_PlaceOrder-only.jsonl",
        "otlp_demo",
        "jaeger_traceweaver",
        "dd_kafka_aiokafka.jsonl",
    ],
)
def test_recordings_of_others_hold_what_is_learned_of_them(shared_data: Path, name: str) -> None:
    found, workflows = of(str(shared_data / name))
    text = new_file(workflows, (), ())
    assert updated(text, "e.yaml", workflows) == text
    again = analyze(found.recording, declared=Declared(parse(text, "e.yaml")))
    assert again.conformance is not None
    assert again.conformance.by_outcome["broken"] == 0
    assert len(again.findings) == len(found.findings)


if __name__ == "__main__":
    GOLDEN.write_text(new_file(demo(), (), ()), "utf-8")
