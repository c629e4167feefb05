"""Every deliberate change of a system is found, and what it is said to be is what was done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analyzer.comparison import Change, Comparison, Snapshot, compare
from tests.comparison.systems import MUTANTS, as_recording, as_report, registered, slowed

BASE = "sim:electronics?instances=120&seed=1"
SIDES = {"recordings": as_recording, "reports": as_report}
FOUND = {
    "new-consumer": [
        ("new-service", "loyalty"),
        ("new-consumer", "loyalty on order.fulfilled"),
        ("new-edge", "shipping → loyalty (event order.fulfilled)"),
        ("new-step", "loyalty: process order.fulfilled in shop: POST /orders"),
    ],
    "removed-consumer": [
        ("gone-consumer", "notification on order.fulfilled"),
        ("gone-edge", "shipping → notification (event order.fulfilled)"),
        ("gone-step", "notification: process order.fulfilled in shop: POST /orders"),
        ("fewer-dependencies", "notification"),
    ],
    "new-step": [("new-step", "shipping: publish label.printed in shop: POST /orders")],
    "doubled-calls": [("chattier-edge", "payments → fraud (sync)")],
    "new-cycle": [
        ("new-edge", "notification → payments (event order.confirmed)"),
        ("new-cycle", "notification → payments → warehouse → shipping"),
        ("more-dependencies", "payments"),
    ],
    "new-destination": [
        ("gone-step", "notification: publish order.confirmed in shop: POST /orders"),
        ("new-step", "notification: publish order.done in shop: POST /orders"),
    ],
}
# What the change brings with it beside what it is; everything else would be a false alarm.
ALSO = {
    "removed-consumer": {"gone-destination", "rarer-step"},
    "new-cycle": {"new-consumer", "new-destination", "new-step", "new-bidirectional"},
}


def told(comparison: Comparison) -> list[tuple[str, str]]:
    return [(change.kind, change.subject) for change in comparison.changes]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_deliberate_change_is_found_and_nothing_else(name: str, side: str) -> None:
    observe: Callable[[str], Snapshot] = SIDES[side]
    with registered(MUTANTS[name], f"mutant-{name}") as system:
        comparison = compare(observe(BASE), observe(f"sim:{system}?instances=120&seed=2"))
    found = told(comparison)
    assert set(FOUND[name]) <= set(found)
    kinds = {kind for kind, _ in FOUND[name]} | ALSO.get(name, set())
    assert {kind for kind, _ in found} <= kinds


def test_the_way_back_says_the_opposite() -> None:
    """Sides exchanged, every `new` is a `gone` and the other way round."""
    with registered(MUTANTS["new-consumer"], "mutant-new-consumer") as system:
        uri = f"sim:{system}?instances=120&seed=2"
        there = compare(as_recording(BASE), as_recording(uri))
        back = compare(as_recording(uri), as_recording(BASE))
    turned = {(kind.replace("new-", "gone-"), subject) for kind, subject in told(there)}
    assert set(told(back)) == turned


@pytest.fixture(scope="module")
def slow_shipping() -> Comparison:
    with slowed("shipping", 4):
        after = as_recording("sim:electronics?instances=120&seed=91")
    return compare(as_recording(BASE), after)


def test_a_slower_step_is_found_where_it_is_slow(slow_shipping: Comparison) -> None:
    """Its own time is longer; those after it, and its callers, are not blamed."""
    (change,) = [c for c in slow_shipping.changes if c.kind == "slower-step"]
    assert change.place.step == "process stock.reserved"
    assert change.before.value is not None
    assert change.after.value is not None
    assert 1.5 < change.after.value / change.before.value < 5
    assert change.before.high is not None
    assert change.after.low is not None
    assert change.before.high < change.after.low


def test_from_reports_a_slow_step_shows_in_what_comes_after_it() -> None:
    with slowed("inventory", 40):
        after = as_report("sim:order?instances=120&seed=92")
    changes = compare(as_report("sim:order?instances=120&seed=1"), after).changes
    (later,) = [c for c in changes if c.kind == "later-step"]
    assert later.place.step == "publish stock.reserved"
    assert later.note.startswith("the first of ")
    assert "slower-workflow" in {c.kind for c in changes}


def test_lost_messages_are_more_trouble() -> None:
    after = as_recording("sim:electronics?instances=120&seed=5&faults=lost:0.2,handler-error:0.2")
    found = compare(as_recording(BASE), after)
    states = {c.place.state for c in found.changes if c.kind == "more-trouble"}
    assert states == {"stuck", "failed"}


def test_a_variant_that_a_new_step_explains_is_not_told_again() -> None:
    with registered(MUTANTS["new-step"], "mutant-new-step") as system:
        found = compare(as_recording(BASE), as_recording(f"sim:{system}?instances=120&seed=2"))
    assert not [c for c in found.changes if "variant" in c.kind]


def test_another_mix_of_outcomes_is_a_change_of_variants() -> None:
    """Half of the payments rejected: the steps are the same, their shares are not."""
    after = as_recording("sim:order?instances=120&seed=3&faults=rejection:0.5")
    found = compare(as_recording("sim:order?instances=120&seed=1"), after)
    kinds = {c.kind for c in found.changes}
    assert kinds & {"new-step", "rarer-step"} == {"new-step", "rarer-step"}
    assert not kinds & {"more-trouble", "more-errors"}


def places(changes: tuple[Change, ...]) -> list[object]:
    return [(c.kind, c.place, c.measure) for c in changes]


def test_changes_are_in_one_order_and_named_once(slow_shipping: Comparison) -> None:
    keys = [c.sort_key for c in slow_shipping.changes]
    assert keys == sorted(keys)
    assert len(set(places(slow_shipping.changes))) == len(slow_shipping.changes)
