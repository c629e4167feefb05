"""What each detector says, and does not say, of small hand-made recordings."""

from __future__ import annotations

import random
from typing import Any

import pytest

from analyzer.analysis import Analysis
from analyzer.finding import Severity
from analyzer.pipeline import analyze_recording
from tests.support.spans import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    T0_NS,
    Ref,
    Tape,
    kinds,
    of_kind,
    state_of,
)

ALARMS = {
    "stuck",
    "late",
    "missing-step",
    "consumer-dark",
    "backlog",
    "failed",
    "incomplete-compensation",
    "orphaned",
    "duplicate-delivery",
    "retry-storm",
    "identity-conflict",
}


def order(tape: Tape, at: float, wait: float | None = 0.1, **more: Any) -> Ref:
    """A request that publishes an order; the stock service takes it `wait` seconds later, or
    never. Returns the send."""
    root = tape.serve("shop", "POST /orders", at)
    sent = tape.send("shop", "orders", at + 0.01, parent=root)
    if wait is not None:
        tape.process("stock", sent, at + 0.012 + wait, **more)
    return sent


def tick(tape: Tape, at: float) -> None:
    """Something that moves the clock."""
    tape.span("clock", "tick", at)


# --- stuck, late, waiting ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["child", "link"])
@pytest.mark.parametrize("wait", [0.1, 100.0, 2 * HOUR, 3 * DAY])
def test_a_lost_message_is_stuck_however_long_the_usual_wait(shape: str, wait: float) -> None:
    """Steps minutes or days apart, in one trace or in many."""
    tape = Tape()
    rng = random.Random(7)
    sent = [
        order(tape, n * wait / 5, None if n == 11 else wait * rng.uniform(0.8, 1.2), shape=shape)
        for n in range(40)
    ]
    tick(tape, 20 * wait + MINUTE)
    found = tape.analyze()
    assert found.by_state == {"complete": 40, "stuck": 1}
    assert state_of(found, sent[11]) == "stuck"
    (finding,) = of_kind(found, "stuck")
    assert (finding.severity, finding.cause) == (Severity.ERROR, "lost")
    assert (finding.waiting_for.service, finding.waiting_for.step) == ("stock", "process orders")
    assert finding.waiting_for.destination == "orders"
    assert finding.evidence[0].span_id == sent[11].span
    assert finding.overdue_s is not None
    assert finding.overdue_s > 0
    assert kinds(found) == {"stuck"}


@pytest.mark.parametrize(("after", "state"), [(5.0, "waiting"), (18.0, "late"), (60.0, "stuck")])
def test_the_older_the_absence_the_worse_the_state(after: float, state: str) -> None:
    """Waits of 8 to 12 s: late past 1.5 times the longest, stuck past three times."""
    tape = Tape()
    rng = random.Random(3)
    for number in range(40):
        order(tape, number * 20, rng.uniform(8, 12))
    sent = order(tape, 1000, None)
    tape.span("stock", "idle", 1000.5)  # what it did until then has been exported
    tick(tape, 1000 + after)
    found = tape.analyze()
    assert state_of(found, sent) == state
    assert kinds(found) == ({state} if state != "waiting" else set())


def test_waiting_is_no_finding_but_says_for_whom() -> None:
    tape = Tape()
    for number in range(30):
        order(tape, number * 20, 10)
    sent = order(tape, 620, None)
    found = tape.analyze()
    row = found.instances.filter(found.instances["trace_ids"].list.contains(sent.trace))
    assert row["state"].to_list() == ["waiting"]
    assert row["waiting_service"].cast(str).to_list() == ["stock"]
    assert not found.findings


def test_a_delay_that_was_asked_for_starts_the_clock_at_its_end() -> None:
    tape = Tape()
    for number in range(40):
        order(tape, number * 20, 1)
    root = tape.serve("shop", "POST /orders", 900)
    due = {"messaging.rocketmq.message.delivery_timestamp": 1_700_000_000_000 + 2_000_000}
    sent = tape.send("shop", "orders", 900.01, parent=root, attributes=due)
    tick(tape, 1500)
    assert state_of(tape.analyze(), sent) == "waiting"
    tick(tape, 2500)
    assert state_of(tape.analyze(), sent) == "stuck"


def test_human_steps_with_a_long_tail_are_no_alarm() -> None:
    tape = Tape()
    rng = random.Random(1)
    for number in range(50):
        sent = tape.send("hr", "leave.asked", number * HOUR)
        asked = tape.process("boss", sent, number * HOUR + 0.3)
        wait = DAY * rng.lognormvariate(0, 0.7)
        tape.serve("boss", "POST /decision", number * HOUR + wait, parent=asked)
    for number in range(5):
        sent = tape.send("hr", "leave.asked", (50 + number) * HOUR)
        tape.process("boss", sent, (50 + number) * HOUR + 0.3)
    tick(tape, 60 * HOUR)
    found = tape.analyze()
    assert not ALARMS & kinds(found)


@pytest.mark.parametrize("seen", [1, 2, 3, 4])
def test_a_short_history_raises_no_alarm(seen: int) -> None:
    tape = Tape()
    for number in range(seen):
        order(tape, number * 10)
    order(tape, 100, None)
    tick(tape, 1000)
    found = tape.analyze()
    assert not [one for one in found.findings if one.severity != Severity.NOTE]
    assert {one.cause for one in of_kind(found, "unconsumed-message")} <= {"insufficient-history"}


@pytest.mark.parametrize(
    "seen",
    [
        1,
        2,
        3,
        4,
    ],
)
def test_a_short_history_is_told_as_such(seen: int) -> None:
    tape = Tape()
    for number in range(seen):
        order(tape, number * 10)
    sent = order(tape, 100, None)
    tick(tape, 1000)
    found = tape.analyze()
    assert state_of(found, sent) == "unknown"
    assert [one.cause for one in of_kind(found, "unconsumed-message")] == ["insufficient-history"]


def test_the_end_of_a_loop_is_no_missing_step() -> None:
    """Every case works through its items one after another and then stops."""
    tape = Tape()
    rng = random.Random(5)
    for case in range(30):
        last = tape.serve("shop", "POST /orders", case * 100)
        for item in range(rng.randint(8, 25)):
            sent = tape.send("worker", "item", case * 100 + 0.02 + item, parent=last)
            last = tape.process("worker", sent, case * 100 + 0.1 + item)
    found = tape.analyze()
    assert not ALARMS & kinds(found)


def test_a_loop_that_stops_in_the_middle_once_is_told() -> None:
    """A message inside the loop is lost: the loop's end is not where it usually is."""
    tape = Tape()
    for case in range(30):
        last = tape.serve("shop", "POST /orders", case * 100)
        for item in range(10):
            sent = tape.send("worker", "item", case * 100 + 0.02 + item, parent=last)
            if case == 7 and item == 4:
                gone = sent
                break
            last = tape.process("worker", sent, case * 100 + 0.1 + item)
    found = tape.analyze()
    assert state_of(found, gone) == "stuck"
    assert found.by_state == {"complete": 29, "stuck": 1}


# --- missing steps -----------------------------------------------------------------------------


def checkout(tape: Tape, at: float, mail: bool, log: bool = False) -> Ref:
    root = tape.serve("shop", "POST /orders", at, 1)
    tape.call(root, "pay", "POST /charge", at + 0.1)
    if mail:
        tape.call(root, "mail", "POST /send", at + 0.3)
    if log:
        tape.call(root, "audit", "POST /log", at + 0.5)
    return root


def test_five_percent_that_lack_the_last_step_are_the_finding() -> None:
    tape = Tape()
    gone = [checkout(tape, n * 10, n % 20 != 7) for n in range(200)][7::20]
    found = tape.analyze()
    told = of_kind(found, "missing-step")
    assert sorted(trace for one in told for trace in one.trace_ids) == sorted(
        ref.trace for ref in gone
    )
    assert kinds(found) == {"missing-step"}
    assert {one.waiting_for.service for one in told} == {"mail"}


def test_five_percent_that_lack_a_middle_step_are_the_finding() -> None:
    tape = Tape()
    for number in range(200):
        checkout(tape, number * 10, number % 20 != 7, log=True)
    assert len(of_kind(tape.analyze(), "missing-step")) == 10


def test_one_in_two_hundred_that_lacks_a_middle_step_is_the_finding() -> None:
    tape = Tape()
    for number in range(200):
        checkout(tape, number * 10, number != 77, log=True)
    assert len(of_kind(tape.analyze(), "missing-step")) == 1


@pytest.mark.parametrize("log", [False, True])
def test_a_step_that_sixty_percent_have_is_optional(log: bool) -> None:
    tape = Tape()
    rng = random.Random(5)
    for number in range(200):
        checkout(tape, number * 10, rng.random() < 0.6, log)
    assert not ALARMS & kinds(tape.analyze())


def test_a_consumer_of_sixty_percent_of_the_messages_filters_them() -> None:
    tape = Tape()
    rng = random.Random(6)
    for number in range(200):
        sent = order(tape, number * 10)
        if rng.random() < 0.6:
            tape.process("mail", sent, number * 10 + 0.2)
    assert not ALARMS & kinds(tape.analyze())


def test_another_outcome_instead_is_no_missing_step() -> None:
    tape = Tape()
    for number in range(200):
        sent = order(tape, number * 10, None)
        stock = tape.process("stock", sent, number * 10 + 0.1)
        name = "rejected" if number % 20 == 3 else "reserved"
        onward = tape.send("stock", name, number * 10 + 0.11, parent=stock)
        tape.process("shop", onward, number * 10 + 0.2)
    assert not ALARMS & kinds(tape.analyze())


# --- many at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("alive", [False, True])
def test_a_consumer_that_fell_silent_is_one_finding(alive: bool) -> None:
    tape = Tape()
    for number in range(200):
        sent = order(tape, number * 10)
        if number < 100:
            tape.process("mail", sent, number * 10 + 0.3)
        elif alive:
            tape.span("mail", "health", number * 10 + 0.3)
    found = tape.analyze()
    (dark,) = of_kind(found, "consumer-dark")
    assert dark.cause == "consumer-dark"
    assert dark.instances in (99, 100)  # the last one may still be waiting
    assert dark.waiting_for.service == "mail"
    assert kinds(found) == {"consumer-dark"}


def test_a_consumer_that_slept_and_came_back_is_one_finding() -> None:
    tape = Tape()
    for number in range(60):
        order(tape, number * 10, 0.1 if number < 40 or number > 57 else None)
    found = tape.analyze()
    (dark,) = of_kind(found, "consumer-dark")
    assert dark.instances == 18
    assert "lost" not in {one.cause for one in found.findings}


def test_many_late_at_one_step_are_one_backlog() -> None:
    """Every second message (a stalled partition) waits longer than any did."""
    tape = Tape()
    for number in range(200):
        wait = 2.0 + number % 7 * 2
        order(tape, number, None if number >= 188 and number % 2 else wait)
    tick(tape, 221)
    found = tape.analyze()
    (backlog,) = of_kind(found, "backlog")
    assert backlog.instances == 6
    assert len(backlog.members) == 6
    assert backlog.severity == Severity.WARNING
    assert kinds(found) == {"backlog"}


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["child", "link"])
def test_an_error_is_told_with_where_it_began(shape: str) -> None:
    """Across traces and links: the database span two services below is the origin."""
    tape = Tape()
    for number in range(20):
        bad, at = number == 5, number * 10
        root = tape.serve("shop", "POST /orders", at)
        sent = tape.send("shop", "orders", at + 0.01, parent=root)
        work = tape.process("stock", sent, at + 0.1, 0.5, shape=shape, error=bad)
        call = tape.call(work, "depot", "GET /shelf", at + 0.2, 0.2, error=bad)
        database = tape.span(
            "depot",
            "SELECT shelf",
            at + 0.25,
            kind="client",
            parent=call,
            error=bad,
            attributes={"db.system": "postgresql", "error.type": "DeadlockDetected"},
        )
        if bad:
            origin, failing = database, sent
    found = tape.analyze()
    (failed,) = of_kind(found, "failed")
    assert failed.cause in ("handler-error", "downstream-error")
    assert failed.service == "depot"
    assert "DeadlockDetected" in failed.message
    assert {(one.role, one.span_id) for one in failed.evidence} >= {("origin", origin.span)}
    assert state_of(found, failing) == "failed"
    assert kinds(found) == {"failed"}


def test_an_error_that_a_retry_got_over_is_no_failure() -> None:
    tape = Tape()
    for number in range(40):
        sent = order(tape, number * 10, 0.1, error=number in (7, 23))
        if number in (7, 23):
            tape.process("stock", sent, number * 10 + 1.3)
    found = tape.analyze()
    assert found.by_state == {"complete": 40}
    assert not kinds(found)


def test_an_error_that_a_retry_queue_got_over_is_no_failure() -> None:
    tape = Tape()
    for number in range(40):
        sent = order(tape, number * 10, None)
        bad = number in (7, 23)
        work = tape.process("stock", sent, number * 10 + 0.1, 0.1, error=bad)
        if bad:
            again = tape.send("stock", "orders-retry-0", number * 10 + 0.15, parent=work)
            tape.process("stock", again, number * 10 + 2)
    found = tape.analyze()
    assert not ALARMS & kinds(found)
    assert found.by_state == {"complete": 40}


def test_a_failed_redelivery_after_a_success_is_no_failure() -> None:
    tape = Tape()
    for number in range(40):
        sent = order(tape, number * 10)
        if number == 9:
            tape.process("stock", sent, number * 10 + 1.3, error=True)
    found = tape.analyze()
    assert found.by_state == {"complete": 40}


def test_a_caught_error_below_a_good_request_is_no_failure() -> None:
    tape = Tape()
    for number in range(40):
        root = tape.serve("shop", "GET /cart", number, 0.5)
        tape.call(root, "ads", "GET /ads", number + 0.1, error=number == 11)
    assert not ALARMS & kinds(tape.analyze())


def test_a_failed_send_is_told_once() -> None:
    tape = Tape()
    for number in range(40):
        root = tape.serve("shop", "POST /orders", number * 10)
        bad = number == 11
        sent = tape.send("shop", "orders", number * 10 + 0.01, parent=root, error=bad)
        if not bad:
            tape.process("stock", sent, number * 10 + 0.1)
    found = tape.analyze()
    causes = [one.cause for one in found.findings]
    assert "lost" not in causes
    assert len(causes) <= 2
    assert found.by_state == {"complete": 39, "failed": 1}


def test_dead_letters_say_where_they_came_from() -> None:
    tape = Tape()
    for number in range(40):
        sent = order(tape, number * 10, None)
        bad = number == 30
        work = tape.process("stock", sent, number * 10 + 0.1, 0.1, error=bad)
        if bad:
            dead = tape.send("stock", "orders.dlq", number * 10 + 0.15, parent=work)
    found = tape.analyze()
    (finding,) = of_kind(found, "dead-lettered")
    assert state_of(found, dead) == "dead-lettered"
    assert [one.role for one in finding.evidence] == ["dead-lettered", "handler"]
    assert kinds(found) == {"dead-lettered"}


# --- deliveries --------------------------------------------------------------------------------


def test_two_successes_for_one_message_are_a_duplicate() -> None:
    tape = Tape()
    sent = [order(tape, number * 10) for number in range(40)]
    tape.process("stock", sent[9], 92)
    found = tape.analyze()
    (finding,) = of_kind(found, "duplicate-delivery")
    assert finding.cause == "redelivered"
    assert [one.role for one in finding.evidence] == ["first", "second"]
    assert found.by_state == {"complete": 40}
    assert kinds(found) == {"duplicate-delivery"}


def test_two_groups_on_one_topic_are_no_duplicate() -> None:
    tape = Tape()
    for number in range(40):
        sent = order(tape, number * 10, None)
        for group in ("billing", "shipping"):
            about = {"messaging.consumer.group.name": group}
            tape.process("worker", sent, number * 10 + 0.1, attributes=about)
    assert not ALARMS & kinds(tape.analyze())


def test_a_replay_days_later_is_no_duplicate_and_no_new_instance() -> None:
    tape = Tape()
    sent = [order(tape, number * 10) for number in range(40)]
    for number in range(5):
        tape.process("stock", sent[number], 3 * DAY + number, shape="link")
    found = tape.analyze()
    assert len(found.instances) == 40
    assert not ALARMS & kinds(found)


def test_five_failed_attempts_are_a_storm() -> None:
    tape = Tape()
    sent = [order(tape, number * 10) for number in range(40)]
    gone = order(tape, 500, None)
    for attempt in range(6):
        tape.process("stock", gone, 500.1 + attempt, error=True)
    assert sent
    found = tape.analyze()
    (storm,) = of_kind(found, "retry-storm")
    assert "6 times" in storm.message
    assert kinds(found) == {"retry-storm", "failed"}


# --- beginnings --------------------------------------------------------------------------------


def test_an_instance_without_its_beginning_is_orphaned() -> None:
    tape = Tape()
    for number in range(40):
        at = number * 10
        root = tape.serve("shop", "POST /orders", at)
        sent = tape.send("shop", "orders", at + 0.01, parent=root)
        work = tape.process("stock", sent, at + 0.1)
        if number == 5:
            lonely = work
            tape.drop(root)
            tape.drop(sent)
    found = tape.analyze()
    (finding,) = of_kind(found, "orphaned")
    assert finding.cause == "missing-producer-span"
    assert state_of(found, lonely) == "orphaned"
    assert finding.workflow == "shop: POST /orders" or finding.instance is not None
    assert kinds(found) == {"orphaned"}


def test_a_parent_that_may_still_be_open_is_no_orphan() -> None:
    """A span is exported when it ends: the last request is not over yet."""
    tape = Tape()
    for number in range(40):
        root = tape.serve("shop", "POST /orders", number * 10, 5)
        child = tape.serve("pay", "POST /charge", number * 10 + 1, parent=root)
    tape.drop(root)
    found = tape.analyze()
    assert state_of(found, child) == "running"
    assert not ALARMS & kinds(found)


def test_a_caller_that_never_emits_makes_no_orphans() -> None:
    tape = Tape()
    for number in range(40):
        tape.serve("shop", "POST /orders", number * 10, parent="00000000000000aa")
    found = tape.analyze()
    assert found.by_state == {"complete": 40}
    assert [note.kind for note in found.data_notes] == ["missing-parents"]


# --- honest doubt ------------------------------------------------------------------------------


def test_messages_that_nobody_takes_have_no_known_consumer() -> None:
    tape = Tape()
    for number in range(40):
        root = tape.serve("shop", "POST /orders", number)
        tape.send("shop", "audit", number + 0.01, parent=root)
    found = tape.analyze()
    (finding,) = of_kind(found, "unconsumed-message")
    assert finding.cause == "no-known-consumer"
    assert finding.instances == 40
    assert finding.severity == Severity.WARNING
    assert found.by_state == {"complete": 40}


@pytest.mark.parametrize("state", ["tracestate", "flags"])
def test_a_sampled_recording_never_says_lost(state: str) -> None:
    tape = Tape()
    more: dict[str, Any] = {"traceState": "ot=th:8"} if state == "tracestate" else {}
    rng = random.Random(2)
    for number in range(100):
        root = tape.serve("shop", "POST /orders", number * 10, **more)
        sent = tape.send("shop", "orders", number * 10 + 0.01, parent=root, **more)
        link: dict[str, Any] = {"traceId": sent.trace, "spanId": sent.span}
        if state == "flags":
            link |= {"flags": 0x100 if number == 50 else 0x101}
        if rng.random() < 0.93:
            tape.process("stock", "orders", number * 10 + 0.1, links=[link], **more)
    found = tape.analyze()
    assert not any(one.cause == "lost" for one in found.findings)
    assert not any(cause.cause == "lost" for one in found.findings for cause in one.causes)
    assert not {"stuck", "missing-step"} & kinds(found)
    assert [note.kind for note in found.data_notes if note.kind == "sampling"] == ["sampling"]


@pytest.mark.parametrize("every", [1, 2, 5, 10])
def test_a_broken_context_never_says_lost(every: int) -> None:
    tape = Tape()
    for number in range(100):
        order(tape, number * 10, 0.1, shape="key" if number % every == 0 else "link")
    found = tape.analyze()
    assert not any(one.cause == "lost" for one in found.findings)
    assert "stuck" not in kinds(found)
    assert "context-broken" in {one.cause for one in found.findings}
    (note,) = [note for note in found.data_notes if note.kind == "broken-propagation"]
    assert note.count == 100 // every


def test_clock_skew_is_clamped_and_told() -> None:
    tape = Tape()
    for number in range(40):
        order(tape, number * 10, -2)
    found = tape.analyze()
    assert found.edges["wait_ns"].min() == 0
    assert found.edges["skew_ns"].max() == pytest.approx(2e9, rel=0.01)
    (note,) = [note for note in found.data_notes if note.kind == "clock-skew"]
    assert set(note.services) == {"shop", "stock"}
    assert not ALARMS & kinds(found)


def test_a_handler_that_crashed_is_told_by_its_children() -> None:
    """The consumer's span never came; its database span names it as parent."""
    tape = Tape()
    for number in range(40):
        sent = order(tape, number * 10, None)
        work = tape.process("stock", sent, number * 10 + 0.1, 0.1)
        tape.span("stock", "SELECT", number * 10 + 0.12, kind="client", parent=work)
        if number == 21:
            tape.drop(work)
            hit = sent
    found = tape.analyze()
    assert state_of(found, hit) == "stuck"
    (finding,) = of_kind(found, "stuck")
    assert finding.cause == "crashed"
    assert "lost" not in {cause.cause for cause in finding.causes}


# --- identity ----------------------------------------------------------------------------------


def keyed(tape: Tape, cases: int, wrong: int = -1) -> list[Ref]:
    """Cases that carry their order id on each span; in case `wrong` the consumer writes that of
    another."""
    sent = []
    for number in range(cases):
        key = {"order.id": f"ord-{number:05}"}
        other = {"order.id": f"ord-{number + 1:05}"} if number == wrong else key
        root = tape.serve("shop", "POST /orders", number * 10, attributes=key)
        message = tape.send("shop", "orders", number * 10 + 0.01, parent=root, attributes=key)
        tape.process("stock", message, number * 10 + 0.1, attributes=other)
        sent.append(message)
    return sent


@pytest.mark.parametrize("configured", [(), ("order.id",)])
def test_a_contradicting_key_is_a_conflict_and_joins_nothing(configured: tuple[str, ...]) -> None:
    tape = Tape()
    keyed(tape, 40, wrong=17)
    found = tape.analyze(keys=configured)
    (finding,) = of_kind(found, "identity-conflict")
    assert "ord-00018" in finding.message
    assert len(found.instances) == 40
    assert found.instances["steps"].to_list() == [3] * 40
    assert kinds(found) == {"identity-conflict"}


@pytest.mark.parametrize("configured", [(), ("order.id",), ("auto",)])
def test_keys_that_agree_are_no_conflict(configured: tuple[str, ...]) -> None:
    tape = Tape()
    keyed(tape, 40)
    found = tape.analyze(keys=configured)
    assert not kinds(found)
    assert len(found.instances) == 40


def test_a_tenant_is_no_identity() -> None:
    """A value that many cases share is quarantined, and nobody is joined by it."""
    tape = Tape()
    for number in range(200):
        about = {"tenant.id": f"tenant-{number % 2}"}
        tape.serve("shop", "POST /orders", number, attributes=about)
    found = tape.analyze(keys=["tenant.id"])
    assert len(found.instances) == 200
    assert any(note.kind == "quarantined-keys" for note in found.data_notes)


# --- compensation ------------------------------------------------------------------------------


def saga(tape: Tape, at: float, fails: bool, undone: bool = True) -> Ref:
    """Reserve stock, capture payment, ship; where shipping fails both are taken back."""
    placed = tape.send("shop", "order.placed", at)
    stock = tape.process("stock", placed, at + 0.1)
    tape.send("stock", "stock.reserved", at + 0.11, parent=stock)
    pay = tape.process("pay", placed, at + 0.1)
    captured = tape.send("pay", "payment.captured", at + 0.12, parent=pay)
    ship = tape.process("ship", captured, at + 0.3)
    if not fails:
        tape.send("ship", "order.shipped", at + 0.31, parent=ship)
        return placed
    failed = tape.send("ship", "shipment.failed", at + 0.31, parent=ship)
    back = tape.process("pay", failed, at + 0.5)
    tape.send("pay", "payment.refunded", at + 0.51, parent=back)
    release = tape.process("stock", failed, at + 0.5)
    if undone:
        tape.send("stock", "stock.released", at + 0.52, parent=release)
    return placed


def test_a_saga_that_was_rolled_back_is_compensated() -> None:
    tape = Tape()
    refs = [saga(tape, number * 10, number % 5 == 0) for number in range(50)]
    found = tape.analyze()
    assert state_of(found, refs[0]) == "compensated"
    assert found.by_state == {"compensated": 10, "complete": 40}
    assert not ALARMS & kinds(found)


def test_a_saga_that_was_rolled_back_by_half_is_incomplete() -> None:
    tape = Tape()
    refs = [saga(tape, number * 10, number % 5 == 0, number != 20) for number in range(50)]
    found = tape.analyze()
    told = of_kind(found, "incomplete-compensation")
    assert {trace for one in told for trace in one.trace_ids} == {refs[20].trace}
    assert state_of(found, refs[20]) == "stuck"
    assert told[0].severity == Severity.ERROR
    assert kinds(found) & ALARMS == {"incomplete-compensation"}


# --- time in one trace -------------------------------------------------------------------------


def test_the_clock_is_that_of_the_events_unless_the_user_says_otherwise() -> None:
    tape = Tape()
    for number in range(40):
        order(tape, number * 10)
    sent = order(tape, 400, None)
    assert state_of(tape.analyze(), sent) == "waiting"
    later = 1_700_000_000_000_000_000 + int(HOUR * 1e9)
    assert state_of(tape.analyze(as_of_ns=later), sent) == "stuck"


def test_a_service_whose_spans_usually_arrive_late_is_waited_for() -> None:
    """As long as its own take, whatever those of the others do."""
    tape = Tape()
    for number in range(40):
        order(tape, number * 10)
    sent = order(tape, 400, None)
    recording, slow = tape.recording(), {"": SECOND // 5, "stock": 30 * SECOND}

    def state(seconds: int, arrival: dict[str, int]) -> str:
        now = T0_NS + (400 + seconds) * SECOND
        return state_of(analyze_recording(recording, as_of_ns=now, arrival=arrival), sent)

    assert state(20, {"": SECOND // 5, "shop": 30 * SECOND}) == "stuck"
    assert state(20, slow) == "waiting"
    assert state(50, slow) == "stuck"


def test_minutes_between_healthy_steps_are_no_alarm() -> None:
    tape = Tape()
    rng = random.Random(4)
    for number in range(60):
        order(tape, number * 30, rng.uniform(1, 9) * MINUTE)
    found: Analysis = tape.analyze()
    assert found.by_state == {"complete": 60}
    assert not kinds(found)


def test_of_two_calls_of_one_request_each_has_to_go_on() -> None:
    """Two calls of the same name are no attempts at one thing: the one that broke off is told,
    though the other went on."""
    tape = Tape()
    broken = None
    for number in range(60):
        page = tape.serve("shop", "POST /orders", number * 10, 5.0)
        for half in range(2):
            at = number * 10 + half
            item = tape.call(page, "stock", "reserve", at, 0.9)
            if (number, half) == (30, 1):
                broken = item
            else:
                tape.call(item, "depot", "pick", at + 0.3, 0.2)
    found = tape.analyze()
    assert broken is not None
    (told,) = of_kind(found, "missing-step")
    assert told.trace_ids == (broken.trace,)
    assert told.waiting_for.service == "depot"
