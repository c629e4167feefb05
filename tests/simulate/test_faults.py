"""Every fault leaves the spans behind that it should, and the truth says so."""

from __future__ import annotations

import pytest

from collectors.simulate import FAULTS, SYSTEMS, Scenario, ScenarioError, Truth
from tests.simulate.spans import Made, of, run


@pytest.fixture(params=["child", "link", "key", "batch"])
def shape(request: pytest.FixtureRequest) -> str:
    """Each law holds in every shape that the spans of a message can have."""
    return str(request.param)


def hit(uri: str, fault: str, shape: str) -> tuple[list[Made], list[Truth]]:
    made, truth = run(f"{uri}&shape={shape}")
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


def test_lost_has_a_send_and_no_process(shape):
    made, lost = hit("sim:order?instances=60&faults=lost:0.5", "lost", shape)
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


def test_crash_leaves_children_whose_parent_nobody_knows(shape):
    made, crashed = hit("sim:order?instances=60&faults=crash:0.5", "crash", shape)
    for told in crashed:
        mine = of(made, told)
        known = {m.span.span_id for m in mine}
        lonely = [m for m in mine if m.span.parent_span_id and m.span.parent_span_id not in known]
        assert lonely
        pods = {m.pod for m in lonely}
        others = [m for m in made if m.pod in pods and m not in lonely]
        assert {m.role for m in others} <= {"receive"}  # its batch had come before


def test_hang_has_a_process_that_goes_on(shape):
    made, hanging = hit("sim:order?instances=60&faults=hang:0.5", "hang", shape)
    told = hanging[0]
    known = {m.span.span_id for m in of(made, told)}
    lonely = [m for m in of(made, told) if m.span.parent_span_id not in {"", *known}]
    assert [m for m in made if m.pod == lonely[0].pod and m not in lonely]


def test_handler_error_ends_the_branch(shape):
    made, failed = hit("sim:order?instances=60&faults=handler-error:0.5", "handler-error", shape)
    for told in failed:
        (bad,) = [m for m in of(made, told) if m.failed]
        assert bad.role == "process"
        assert not [m for m in made if m.span.parent_span_id == bad.span.span_id and m.role]
        assert told.state == ("failed" if told.judgeable else "waiting")


def test_dead_letter_is_sent_by_the_consumer(shape):
    made, dead = hit("sim:order?instances=60&faults=dead-letter:0.5", "dead-letter", shape)
    for told in dead:
        (sent,) = [m for m in of(made, told) if m.span.name.endswith(".dlq")]
        assert told.waiting_for is not None
        assert sent.service == told.waiting_for.service
        assert len([m for m in of(made, told) if m.failed]) == 3


def test_retry_succeeds_in_the_end(shape):
    made, retried = hit("sim:order?instances=60&faults=retry:0.5", "retry", shape)
    for told in retried:
        assert 1 <= len([m for m in of(made, told) if m.failed]) <= 3
        assert (told.state, told.findings) == ("complete", [])


def test_retry_storm_is_many(shape):
    made, storms = hit("sim:order?instances=30&faults=retry-storm:0.5", "retry-storm", shape)
    assert all(8 <= len([m for m in of(made, t) if m.failed]) <= 20 for t in storms)


def test_duplicate_is_one_message_processed_twice(shape):
    made, doubled = hit("sim:order?instances=60&faults=duplicate:0.5", "duplicate", shape)
    for told in doubled:
        messages = [_message(m) for m in of(made, told) if m.role == "process"]
        assert len(messages) > len(set(messages))


def _message(one: Made) -> tuple[str, str, str]:
    """Who processed what: by its link, its parent, or, where there is neither, its destination."""
    link = one.span.links[0].span_id if one.span.links else ""
    return one.service, link or one.span.parent_span_id, one.span.name


def test_broken_propagation_leaves_an_unlinked_trace_without_key(shape):
    made, broken = hit(
        "sim:order?instances=60&faults=broken-propagation:0.5", "broken-propagation", shape
    )
    for told in broken:
        processed = [m for m in of(made, told) if m.role == "process"]
        (stray,) = [m for m in processed if told.key not in m.attributes.values()]
        assert not stray.span.links
        assert not stray.span.parent_span_id
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


def test_consumer_dark_emits_nothing_more(shape):
    uri = "sim:order?instances=200&faults=consumer-dark:0.3&target=logistics"
    made, dark = hit(uri, "consumer-dark", shape)
    last = max(int(m.span.end_time_unix_nano) for m in made if m.service == "logistics")
    first = min(t.since_ns or 0 for t in dark)
    assert last < first + 10**9
    assert 40 < len(dark) < 80
    assert all(t.state == "stuck" for t in dark if t.judgeable)


def test_outage_is_made_up_for(shape):
    _, away = hit("sim:order?instances=200&faults=outage:0.2&target=logistics", "outage", shape)
    assert {t.state for t in away} == {"complete"}


def test_uninstrumented_emits_nothing_and_hands_nothing_on():
    made, truth = run("sim:order?instances=30&faults=uninstrumented&target=inventory")
    assert "inventory" not in {m.service for m in made}
    roots = [m for m in made if m.role == "process" and not m.span.parent_span_id]
    assert {m.span.name for m in roots} == {"process stock.reserved"}
    assert not [t for t in truth if t.findings]


def test_identity_conflict_writes_the_key_of_another(shape):
    made, wrong = hit(
        "sim:order?instances=30&faults=identity-conflict:0.3", "identity-conflict", shape
    )
    for told in wrong:
        keys = {v for m in of(made, told) for v in m.attributes.values() if v.startswith("ord-")}
        assert len(keys) == 2


def test_replay_is_days_later(shape):
    made, replayed = hit("sim:order?instances=60&faults=replay:0.3", "replay", shape)
    for told in replayed:
        starts = sorted(int(m.span.start_time_unix_nano) for m in of(made, told))
        assert starts[-1] - starts[0] > 86_400 * 10**9
        assert told.state == "complete"


def test_poll_loop_and_cron_hold_many_instances_in_one_trace():
    for fault in ("poll-loop", "cron"):
        _, truth = run(f"sim:order?instances=60&faults={fault}&shape=link")
        traces = [trace for told in truth for trace in told.trace_ids]
        assert max(traces.count(trace) for trace in traces) > 5


def test_send_failed_reaches_nobody(shape):
    made, failed = hit("sim:order?instances=60&faults=send-failed:0.5", "send-failed", shape)
    for told in failed:
        (bad,) = [m for m in of(made, told) if m.failed]
        assert bad.role == "send"
        assert not [m for m in made if m.span.parent_span_id == bad.span.span_id]
        assert bad.attributes["error.type"] == "BrokerNotAvailableError"


def test_late_is_one_slow_delivery(shape):
    made, late = hit("sim:order?instances=60&faults=late:0.5", "late", shape)
    for told in late:
        sent = {m.span.name[5:]: _end(m) for m in of(made, told) if m.role == "send"}
        waits = [_start(m) - sent[m.span.name[8:]] for m in of(made, told) if m.role == "process"]
        assert len([w for w in waits if w > 0.5e9]) == 1
        assert (told.findings, told.state) == ([], "complete")


def test_slow_but_fine_is_one_long_handler(shape):
    made, slow = hit("sim:order?instances=60&faults=slow-fine:0.5", "slow-fine", shape)
    for told in slow:
        took = [_end(m) - _start(m) for m in of(made, told) if m.role == "process"]
        assert len([t for t in took if t > 0.2e9]) == 1
        assert not any(m.failed for m in of(made, told))
        assert (told.findings, told.state) == ([], "complete")


def test_a_person_takes_hours_and_some_take_days(shape):
    _, waited = hit("sim:order?instances=300&faults=human:1", "human", shape)
    hours = sorted((t.end_ns - t.start_ns) / 3600e9 for t in waited)
    assert 4 < hours[len(hours) // 2] < 9
    assert hours[-1] > 48
    assert {(t.state, *t.findings) for t in waited} == {("complete",)}


def test_late_spans_are_missing_at_the_end_and_nowhere_else(shape):
    uri = "sim:order?instances=400&faults=late-spans:30&target=logistics"
    made, late = hit(uri, "late-spans", shape)
    ends = {
        name: max(_end(m) for m in made if m.service == name) for name in ("orders", "logistics")
    }
    assert 29e9 < ends["orders"] - ends["logistics"] < 35e9
    _, truth = run(f"{uri}&shape={shape}")
    assert all(t.end_ns > ends["orders"] - 40e9 for t in late)
    assert len(late) < len(truth) / 3
    assert not [t for t in truth if t.findings]
    assert all("lost" in t.never_causes for t in late)


def test_faults_mix(shape):
    """Each happens to its share of the instances, one to an instance, and the truth says which."""
    shares = {"lost": 0.1, "crash": 0.1, "dead-letter": 0.1, "retry": 0.2, "duplicate": 0.1}
    words = ",".join(f"{name}:{share}" for name, share in shares.items())
    _, truth = run(f"sim:order?instances=1000&faults={words},skew:2,in-flight:0.1&shape={shape}")
    for name, share in shares.items():
        count = len([t for t in truth if name in t.faults])
        assert share * 700 < count < share * 1300, name
    assert max(len(t.faults) for t in truth) == 1
    wrong = {"lost", "crash", "dead-letter", "duplicate"}
    told = [t for t in truth if t.judgeable and t.state != "running"]  # not too young, not at work
    assert len(told) > 850
    assert all(bool(t.findings) == bool(wrong & {*t.faults}) for t in told)


def _start(one: Made) -> int:
    return int(one.span.start_time_unix_nano)


def _end(one: Made) -> int:
    return int(one.span.end_time_unix_nano)


def test_rejection_is_no_failure(shape):
    for system in ("order", "electronics"):
        made, rejected = hit(f"sim:{system}?instances=60&faults=rejection:0.3", "rejection", shape)
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
            assert not told.judgeable or told.findings[0][0] == "incomplete-compensation"


def test_back_orders_wait_days_and_go_on_in_a_new_trace():
    made, truth = run("sim:electronics?instances=200")
    late = [t for t in truth if t.variant == "back-order"]
    assert late
    for told in late:
        assert len(told.trace_ids) == 2
        assert [m for m in of(made, told) if m.span.name == "restock" and m.span.links]


def test_an_error_of_a_call_reaches_the_caller(shape):
    made, failed = hit("sim:login?instances=60&faults=handler-error:0.5", "handler-error", shape)
    for told in failed:
        (root,) = [m for m in of(made, told) if not m.span.parent_span_id]
        assert root.failed


def test_skip_publishes_nothing(shape):
    made, skipped = hit("sim:order?instances=60&faults=skip:0.5", "skip", shape)
    for told in skipped:
        assert told.waiting_for is not None
        names = {m.span.name for m in of(made, told)}
        assert f"send {told.waiting_for.destination}" not in names
        assert not any(m.failed for m in of(made, told))


@pytest.mark.parametrize("system", sorted(SYSTEMS))
@pytest.mark.parametrize("style", ["choreographed", "orchestrated"])
def test_every_fault_runs_in_every_system_that_can_have_it(system, style):
    for fault, about in FAULTS.items():
        share = 2.0 if about.number == "seconds" else 0.3
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


def test_the_moment_of_a_fault_lies_within_its_instance(shape):
    words = "lost:.1,crash:.1,handler-error:.1,dead-letter:.1,retry-storm:.1,duplicate:.1,skip:.1"
    _, truth = run(f"sim:order?instances=200&faults={words}&shape={shape}")
    timed = [t for t in truth if t.findings]
    assert len(timed) > 100
    for told in timed:
        assert told.struck_ns is not None
        assert told.start_ns <= (told.since_ns or told.start_ns) <= told.struck_ns
        assert told.struck_ns <= max(told.end_ns, told.since_ns or 0) + 10**6
    assert all(t.struck_ns is None for t in truth if not t.findings)


def test_a_callee_that_dies_before_it_does_anything_leaves_nothing_to_tell_a_crash_by(shape):
    _, crashed = hit("sim:recommendations?instances=80&faults=crash:0.5", "crash", shape)
    silent = [t for t in crashed if "downstream-silent" in t.causes]
    assert 0 < len(silent) < len(crashed)  # profile and catalogue ask their databases first
    assert all(t.causes[0] == "crashed" for t in crashed)
    assert {t.waiting_for.service for t in silent if t.waiting_for} == {"recommender"}


@pytest.mark.parametrize("fault", ["crash", "hang"])
@pytest.mark.parametrize("semconv", ["new", "old"])
def test_a_call_that_nobody_answered_has_no_status(fault, semconv):
    """Further up everybody answers that it failed."""
    uri = f"sim:login?instances=60&faults={fault}:0.5&target=otp&semconv={semconv}"
    made, hanging = hit(uri, fault, "child")
    status = "http.response.status_code" if semconv == "new" else "http.status_code"
    for told in hanging:
        clients = [m for m in of(made, told) if m.failed and m.span.kind == 3]
        (unanswered,) = [m for m in clients if status not in m.attributes]
        assert unanswered.service == "auth"
        assert unanswered.attributes["error.type"] in ("ConnectionResetError", "TimeoutError")
        answers = {m.attributes[status] for m in of(made, told) if m.failed and m is not unanswered}
        assert answers == {"500"}


@pytest.mark.parametrize("system", ["order", "electronics"])
def test_a_fault_that_is_to_be_found_is_older_than_the_recording_is_patient(system, shape):
    """Instances may come hours apart: the recording ends with the last, not with the next due."""
    uri = f"sim:{system}?instances=100&faults=consumer-dark:0.8&shape={shape}"
    made, truth = run(uri)
    end = max(_end(m) for m in made)
    expected = [t for t in truth if t.findings]
    assert expected
    assert all(end - (t.since_ns or end) > 30e9 for t in expected)
