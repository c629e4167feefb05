"""Every fault leaves the spans behind that it should, and the truth says so."""

from __future__ import annotations

import pytest

from collectors.simulate import FAULTS, SYSTEMS, Scenario, ScenarioError, Truth
from tests.simulate.spans import Made, of, run


def hit(uri: str, fault: str) -> tuple[list[Made], list[Truth]]:
    made, truth = run(uri)
    chosen = [t for t in truth if fault in t.faults]
    assert chosen
    return made, chosen


def processed(made: list[Made], told: Truth, service: str, destination: str) -> list[Made]:
    return [
        m
        for m in of(made, told)
        if m.role == "process"
        and m.service == service
        and m.attributes["messaging.destination.name"] == destination
    ]


@pytest.mark.parametrize("shape", ["child", "link", "key"])
def test_lost_has_a_send_and_no_process(shape):
    made, lost = hit(f"sim:order?instances=60&faults=lost:0.5&shape={shape}", "lost")
    for told in lost:
        goal, at = told.waiting_for, told.stuck_at
        assert goal is not None
        assert at is not None
        assert not processed(made, told, goal.service, goal.destination)
        (sent,) = [
            m
            for m in of(made, told)
            if m.service == at.service and m.span.name == f"send {at.destination}"
        ]
        assert int(sent.span.end_time_unix_nano) == told.since_ns
        assert told.state == ("stuck" if told.judgeable else "waiting")
        assert told.causes == ["lost"]


def test_crash_leaves_children_whose_parent_nobody_knows():
    made, crashed = hit("sim:order?instances=60&faults=crash:0.5", "crash")
    for told in crashed:
        mine = of(made, told)
        known = {m.span.span_id for m in mine}
        lonely = [m for m in mine if m.span.parent_span_id and m.span.parent_span_id not in known]
        assert lonely
        pods = {m.pod for m in lonely}
        assert not [m for m in made if m.pod in pods and m not in lonely]


def test_hang_has_a_process_that_goes_on():
    made, hanging = hit("sim:order?instances=60&faults=hang:0.5", "hang")
    told = hanging[0]
    known = {m.span.span_id for m in of(made, told)}
    lonely = [m for m in of(made, told) if m.span.parent_span_id not in {"", *known}]
    assert [m for m in made if m.pod == lonely[0].pod and m not in lonely]


def test_handler_error_ends_the_branch():
    made, failed = hit("sim:order?instances=60&faults=handler-error:0.5", "handler-error")
    for told in failed:
        (bad,) = [m for m in of(made, told) if m.failed]
        assert bad.role == "process"
        assert not [m for m in made if m.span.parent_span_id == bad.span.span_id and m.role]
        assert told.state == ("failed" if told.judgeable else "waiting")


def test_dead_letter_is_sent_by_the_consumer():
    made, dead = hit("sim:order?instances=60&faults=dead-letter:0.5", "dead-letter")
    for told in dead:
        (sent,) = [m for m in of(made, told) if m.span.name.endswith(".dlq")]
        assert told.waiting_for is not None
        assert sent.service == told.waiting_for.service
        assert len([m for m in of(made, told) if m.failed]) == 3


def test_retry_succeeds_in_the_end():
    made, retried = hit("sim:order?instances=60&faults=retry:0.5", "retry")
    for told in retried:
        assert 1 <= len([m for m in of(made, told) if m.failed]) <= 3
        assert (told.state, told.findings) == ("complete", [])


def test_retry_storm_is_many():
    made, storms = hit("sim:order?instances=30&faults=retry-storm:0.5", "retry-storm")
    assert all(8 <= len([m for m in of(made, t) if m.failed]) <= 20 for t in storms)


def test_duplicate_is_one_message_processed_twice():
    made, doubled = hit("sim:order?instances=60&faults=duplicate:0.5&shape=link", "duplicate")
    for told in doubled:
        links = [
            (m.service, m.span.links[0].span_id) for m in of(made, told) if m.role == "process"
        ]
        assert len(links) > len(set(links))


def test_broken_propagation_leaves_an_unlinked_trace_without_key():
    made, broken = hit(
        "sim:order?instances=60&faults=broken-propagation:0.5&shape=link", "broken-propagation"
    )
    for told in broken:
        (stray,) = [m for m in of(made, told) if m.role == "process" and not m.span.links]
        assert told.key not in stray.attributes.values()
        assert not any("offset" in name for name in stray.attributes)
        assert told.never_causes == ["lost"]


@pytest.mark.parametrize("shape", ["child", "link"])
def test_sampling_keeps_whole_traces(shape):
    made, truth = run(f"sim:order?instances=2000&faults=sampling:0.1&shape={shape}")
    everything, _ = run(f"sim:order?instances=2000&shape={shape}")
    kept = {m.span.trace_id for m in made}
    share = len(kept) / len({m.span.trace_id for m in everything})
    assert 0.07 < share < 0.13
    assert len(made) == len([m for m in everything if m.span.trace_id in kept])
    assert {m.span.trace_state for m in made} == {"ot=th:e6666666666668"}
    flags = {link.flags & 1 for m in made for link in m.span.links if link.flags is not None}
    assert flags == ({0, 1} if shape == "link" else set())
    assert not [t for t in truth if t.findings]


def test_skew_moves_one_clock():
    straight, _ = run("sim:order?instances=10")
    skewed, _ = run("sim:order?instances=10&faults=skew:2.5&target=inventory")
    for before, after in zip(straight, skewed, strict=True):
        moved = int(after.span.start_time_unix_nano) - int(before.span.start_time_unix_nano)
        assert moved == (2_500_000_000 if after.service == "inventory" else 0)


def test_in_flight_cuts_the_recording():
    made, truth = run("sim:order?instances=200&faults=in-flight:0.5&gap=100s")
    whole, _ = run("sim:order?instances=200&gap=100s")
    assert len(made) < len(whole)
    states = [t.state for t in truth]
    assert states.count("running") > 20
    assert not [t for t in truth if t.findings]


def test_consumer_dark_emits_nothing_more():
    uri = "sim:order?instances=200&faults=consumer-dark:0.3&target=logistics"
    made, dark = hit(uri, "consumer-dark")
    last = max(int(m.span.end_time_unix_nano) for m in made if m.service == "logistics")
    first = min(t.since_ns or 0 for t in dark)
    assert last < first + 10**9
    assert 40 < len(dark) < 80
    assert all(t.state == "stuck" for t in dark if t.judgeable)


def test_outage_is_made_up_for():
    _, away = hit("sim:order?instances=200&faults=outage:0.2&target=logistics", "outage")
    assert {t.state for t in away} == {"complete"}


def test_uninstrumented_emits_nothing_and_hands_nothing_on():
    made, truth = run("sim:order?instances=30&faults=uninstrumented&target=inventory")
    assert "inventory" not in {m.service for m in made}
    roots = [m for m in made if m.role == "process" and not m.span.parent_span_id]
    assert {m.span.name for m in roots} == {"process stock.reserved"}
    assert not [t for t in truth if t.findings]


def test_identity_conflict_writes_the_key_of_another():
    made, wrong = hit("sim:order?instances=30&faults=identity-conflict:0.3", "identity-conflict")
    for told in wrong:
        keys = {v for m in of(made, told) for v in m.attributes.values() if v.startswith("ord-")}
        assert len(keys) == 2


def test_replay_is_days_later():
    made, replayed = hit("sim:order?instances=60&faults=replay:0.3", "replay")
    for told in replayed:
        starts = sorted(int(m.span.start_time_unix_nano) for m in of(made, told))
        assert starts[-1] - starts[0] > 86_400 * 10**9
        assert told.state == "complete"


def test_poll_loop_and_cron_hold_many_instances_in_one_trace():
    for fault in ("poll-loop", "cron"):
        _, truth = run(f"sim:order?instances=60&faults={fault}&shape=link")
        traces = [trace for told in truth for trace in told.trace_ids]
        assert max(traces.count(trace) for trace in traces) > 5


def test_send_failed_reaches_nobody():
    made, failed = hit("sim:order?instances=60&faults=send-failed:0.5", "send-failed")
    for told in failed:
        (bad,) = [m for m in of(made, told) if m.failed]
        assert bad.role == "send"
        assert not [m for m in made if m.span.parent_span_id == bad.span.span_id]


def test_rejection_is_no_failure():
    for system in ("order", "electronics"):
        made, rejected = hit(f"sim:{system}?instances=60&faults=rejection:0.3", "rejection")
        assert not any(m.failed for t in rejected for m in of(made, t))
        assert {(t.state, t.variant) for t in rejected} == {("complete", "rejected")}


def test_compensation_is_done_or_not():
    uri = "sim:electronics?instances=80&faults=compensated:0.3,no-compensation:0.3"
    made, truth = run(uri)
    undone = {"send payment.refunded", "send stock.released"}
    for told in truth:
        names = {m.span.name for m in of(made, told)} & undone
        if "compensated" in told.faults:
            assert names == undone
            assert told.state == "compensated"
        elif "no-compensation" in told.faults:
            assert len(names) == 1
            assert told.findings[0][0] == "incomplete-compensation" or not told.judgeable


def test_back_orders_wait_days_and_go_on_in_a_new_trace():
    made, truth = run("sim:electronics?instances=200")
    late = [t for t in truth if t.variant == "back-order"]
    assert late
    for told in late:
        assert len(told.trace_ids) == 2
        assert [m for m in of(made, told) if m.span.name == "restock" and m.span.links]


def test_an_error_of_a_call_reaches_the_caller():
    made, failed = hit("sim:login?instances=60&faults=handler-error:0.5", "handler-error")
    for told in failed:
        (root,) = [m for m in of(made, told) if not m.span.parent_span_id]
        assert root.failed


def test_skip_publishes_nothing():
    made, skipped = hit("sim:order?instances=60&faults=skip:0.5", "skip")
    for told in skipped:
        assert told.waiting_for is not None
        names = {m.span.name for m in of(made, told)}
        assert f"send {told.waiting_for.destination}" not in names
        assert not any(m.failed for m in of(made, told))


@pytest.mark.parametrize("system", sorted(SYSTEMS))
@pytest.mark.parametrize("style", ["choreographed", "orchestrated"])
def test_every_fault_runs_in_every_system_that_can_have_it(system, style):
    for fault, about in FAULTS.items():
        share = 2.0 if fault == "skew" else 0.3
        try:
            scenario = Scenario(system, 40, 3, {fault: share}, "link", style)
        except ScenarioError:
            continue
        made, truth = run(scenario)
        assert made
        if about.where in ("hop", "send", "variant"):
            assert [t for t in truth if fault in t.faults], fault
        for told in truth:
            assert told.state in told.states
            assert told.spans > 0
