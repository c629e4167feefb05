"""One business, four shapes of its spans."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.simulate import FAULTS, SYSTEMS, Scenario, ScenarioError, parse
from tests.simulate.spans import Made, run

SHAPES = ("child", "link", "key", "batch")


def business(scenario: Scenario) -> list[tuple[object, ...]]:
    """What the truth says that has nothing to do with the shape."""
    return [
        (t.key, t.variant, t.state, t.faults, t.findings, t.since_ns, t.stuck_at, t.judgeable)
        for t in run(scenario)[1]
    ]


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(sorted(SYSTEMS)),
    st.sampled_from(sorted(FAULTS)),
    st.integers(0, 2**32),
    st.sampled_from(["choreographed", "orchestrated"]),
)
def test_the_same_seed_gives_the_same_business_in_all_four(system, fault, seed, style):
    faults = {fault: 2.0 if FAULTS[fault].number == "seconds" else 0.5}
    if fault in ("sampling", "identity-conflict"):
        faults = {}  # what can be known of it depends on the shape
    try:
        scenarios = [Scenario(system, 20, seed, faults, s, style) for s in SHAPES]
    except ScenarioError:
        return
    first, *others = map(business, scenarios)
    assert all(other == first for other in others)


def consumers(made: list[Made]) -> list[Made]:
    return [one for one in made if one.role == "process"]


def sends(made: list[Made]) -> dict[tuple[str, str], Made]:
    return {(m.span.trace_id, m.span.span_id): m for m in made if m.role == "send"}


def test_child_is_a_child_of_the_send():
    made, truth = run("sim:order?instances=30&shape=child")
    known = sends(made)
    for one in consumers(made):
        assert (one.span.trace_id, one.span.parent_span_id) in known
        assert not one.span.links
    assert all(len(t.trace_ids) == 1 for t in truth)


def test_link_is_a_new_trace_with_a_link_to_the_send():
    made, _ = run("sim:order?instances=30&shape=link")
    known = sends(made)
    for one in consumers(made):
        (link,) = one.span.links
        assert (link.trace_id, link.span_id) in known
        assert not one.span.parent_span_id
        assert link.trace_id != one.span.trace_id


def test_key_has_nothing_in_common_but_the_key():
    made, truth = run("sim:order?instances=30&shape=key")
    for one in consumers(made):
        assert not one.span.parent_span_id
        assert not one.span.links
        assert not any("offset" in name or "message.id" in name for name in one.attributes)
    for told in truth:
        keyed = [m for m in made if told.key in m.attributes.values()]
        assert {m.span.trace_id for m in keyed} == set(told.trace_ids)
    names = {name for m in made for name in m.attributes if name.endswith(("order.id", "order_id"))}
    assert names == {"order.id", "app.order_id"}  # the alias is part of the task


def test_batch_receives_several_messages_at_once():
    made, _ = run("sim:order?instances=100&shape=batch")
    known = sends(made)
    receives = {m.span.span_id: m for m in made if m.role == "receive"}
    sizes = Counter(len(m.span.links) for m in receives.values())
    assert sum(n for size, n in sizes.items() if size > 1) > 20
    for one in receives.values():
        for link in one.span.links:
            sent = known[link.trace_id, link.span_id]
            assert int(sent.span.end_time_unix_nano) <= int(one.span.start_time_unix_nano)
            assert link.attributes
    for one in consumers(made):
        (link,) = one.span.links
        parent = receives[one.span.parent_span_id]
        assert (link.trace_id, link.span_id) in {(k.trace_id, k.span_id) for k in parent.span.links}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_without_faults_every_parent_and_every_link_is_there(system, shape):
    for style in ("choreographed", "orchestrated"):
        made, truth = run(f"sim:{system}?instances=25&shape={shape}&style={style}")
        ids = Counter((m.span.trace_id, m.span.span_id) for m in made)
        assert set(ids.values()) == {1}
        for one in made:
            if one.span.parent_span_id:
                assert (one.span.trace_id, one.span.parent_span_id) in ids
            for link in one.span.links:
                assert (link.trace_id, link.span_id) in ids
            assert int(one.span.start_time_unix_nano) < int(one.span.end_time_unix_nano)
        assert {t.state for t in truth} == {"complete"}
        assert {m.span.trace_id for m in made} == {i for t in truth for i in t.trace_ids}


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq", "sqs"])
@pytest.mark.parametrize("semconv", ["new", "old"])
def test_both_sides_name_the_message(broker, semconv):
    made, _ = run(f"sim:order?instances=5&broker={broker}&semconv={semconv}&shape=link")
    pattern = re.compile(r"message[._]id$|offset$")
    known = {(m.span.trace_id, m.span.span_id): m for m in made}
    linked = [m for m in made if m.span.links]
    assert linked
    for one in linked:
        (link,) = one.span.links
        sent = known[link.trace_id, link.span_id].attributes
        name = next(name for name in one.attributes if pattern.search(name))
        assert one.attributes[name] == sent[name]


def test_old_and_new_names_exclude_each_other():
    new, _ = run("sim:order?instances=5&semconv=new")
    old, _ = run("sim:order?instances=5&semconv=old")
    names = [{name for m in made for name in m.attributes} for made in (new, old)]
    assert "messaging.destination.name" in names[0] - names[1]
    assert "messaging.destination" in names[1] - names[0]
    assert not names[0] & {"http.method", "db.system", "messaging.operation"}
    assert not names[1] & {"http.request.method", "db.system.name", "messaging.operation.type"}


def test_keys_on_the_first_span_only():
    made, _ = run("sim:order?instances=5&keys=first")
    for one in made:
        assert ("ord-" in str(one.attributes)) == (not one.span.parent_span_id)


def test_flags_are_there_in_some_languages_only():
    made, _ = run("sim:order?instances=5")
    written = {m.service: m.span.flags is not None for m in made}
    assert set(written.values()) == {True, False}


def test_orchestrated_goes_through_the_coordinator():
    made, _ = run("sim:order?instances=5&style=orchestrated")
    destinations = {m.attributes["messaging.destination.name"] for m in made if m.role == "send"}
    assert "order.replies" in destinations
    assert "inventory.commands" in destinations
    senders = {m.service for m in made if m.span.name == "send inventory.commands"}
    assert senders == {"order-orchestrator"}


def test_gap_lies_between_send_and_process():
    made, _ = run("sim:order?instances=20&gap=3d&shape=link")
    known = sends(made)
    days = []
    for one in consumers(made):
        (link,) = one.span.links
        sent = int(known[link.trace_id, link.span_id].span.end_time_unix_nano)
        days.append((int(one.span.start_time_unix_nano) - sent) / 86_400e9)
    assert 1 < sorted(days)[len(days) // 2] < 6


def test_the_new_edge_replaces_the_old_one_over_time():
    _, truth = run("sim:migration?instances=400")
    new = [t.variant == "new" for t in truth]
    assert sum(new[:100]) < 25 < 75 < sum(new[-100:])
    assert parse("sim:migration").flow.variants.keys() == {"old", "new"}
