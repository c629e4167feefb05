"""What a finding says is what the spans show: where it broke off, who failed, what was unseen."""

from __future__ import annotations

from typing import Any

from tests.support.spans import DAY, MINUTE, Tape, kinds, of_kind


def test_a_flow_that_broke_off_says_after_what() -> None:
    """Paid, never mailed: the payment is named before what did not come."""
    tape = Tape()
    for number in range(40):
        at = number * 10.0
        page = tape.serve("shop", "POST /orders", at, 2.0)
        tape.call(page, "payment", "charge", at + 0.1)
        if number not in (20, 21, 22):
            tape.call(page, "shipping", "ship", at + 0.3)
            tape.call(page, "mail", "confirm", at + 0.5)
    told = of_kind(tape.analyze(), "missing-step")
    assert len(told) == 3
    for one in told:
        assert one.message.startswith("shop: POST /orders broke off after payment: charge; ")
        assert "confirm" in one.message
        assert one.service == "shop"  # it did not call
        assert one.waiting_for.service == "shipping"


def test_a_dead_letter_names_who_had_failed_and_has_to_act() -> None:
    """The broker moves what was rejected: only the reader of the dead letters says where to."""
    tape = Tape()
    for number in range(20):
        sent = tape.send("shop", "orders", number * 10.0)
        for attempt in range(3 if number == 7 else 1):
            at = number * 10.0 + 0.1 + attempt
            more: dict[str, Any] = {"status": {"code": 2, "message": "no such item"}}
            tape.process("stock", sent, at, **(more if number == 7 else {}))
        if number == 7:
            given = {"messaging.destination.name": "dead-letters"}
            tape.process("undertaker", sent, number * 10.0 + 4, attributes=given)
    (finding,) = of_kind(tape.analyze(), "dead-lettered")
    assert finding.service == "stock"
    assert "stock: process orders had failed on it" in finding.message
    assert any("failed 3 times on it: no such item" in one for one in finding.causes[0].supports)
    assert [one.role for one in finding.evidence] == ["dead-lettered", "handler"]


def unrecorded_sends(every: int) -> Tape:
    """A service whose sends are not recorded, some of the time; the messages arrive."""
    tape = Tape()
    for number in range(60):
        at = number * 10.0
        placed = tape.send("shop", "orders", at)
        work = tape.process("stock", placed, at + 0.1, 0.2)
        if number % every:
            sent = tape.send("stock", "reserved", at + 0.2, parent=work)
            tape.process("payment", sent, at + 0.4)
        else:
            tape.process("payment", "reserved", at + 0.4)
    tape.span("clock", "tick", 600 + 10 * MINUTE)
    return tape


def test_a_send_that_was_not_recorded_is_no_missing_step() -> None:
    """The consumer shows that the message left: the context is broken, nobody is stuck."""
    for every in (4, 20):
        found = unrecorded_sends(every).analyze()
        assert not of_kind(found, "stuck", "missing-step")
        (broken, *_) = [one for one in of_kind(found, "broken-propagation") if one.instances]
        assert broken.cause == "context-broken"
        assert "the send was not recorded" in broken.message
        assert "payment: process reserved" in broken.causes[0].supports[0]
        (lost,) = of_kind(found, "orphaned")
        assert "others took every message seen to be sent there" in lost.message


def test_a_send_that_never_was_is_still_missing_beside_them() -> None:
    """Where no consumer came either, the step is missing."""
    tape = unrecorded_sends(20)
    for number in range(3):
        placed = tape.send("shop", "orders", 205.0 + number)
        tape.process("stock", placed, 205.1 + number, 0.2)
    found = tape.analyze()
    assert "missing-step" in kinds(found)
    assert sum(one.instances for one in of_kind(found, "missing-step")) == 3


def test_a_step_that_wrote_another_cases_key_is_not_lost() -> None:
    """Only keys join: what one case misses stands in another one, where it is one too many."""
    tape = Tape()
    for number in range(60):
        at = number * 10.0
        key = {"order.id": f"ord-{number:05d}"}
        tape.send("shop", "orders", at, attributes=key)
        wrong = {"order.id": f"ord-{number + 1:05d}"} if number in (20, 40) else key
        tape.process("stock", "orders", at + 0.1, attributes=wrong)
    tape.span("clock", "tick", 600 + 10 * MINUTE)
    found = tape.analyze(keys=("order.id",))
    assert not of_kind(found, "stuck", "late")
    assert "lost" not in {one.cause for one in found.findings}


def test_what_a_replay_does_not_do_again_is_no_missing_step() -> None:
    """Two results are joined by whichever comes last; days later the first one is replayed, and
    the handler knows that all is done."""
    tape = Tape()
    for number in range(40):
        at = number * 10.0
        paid = tape.send("payment", "payments", at)
        packed = tape.send("depot", "parcels", at, trace=paid.trace)
        late = number in (10, 20)
        first = tape.process("confirmation", paid, at + 0.1)
        second = tape.process("confirmation", packed, at + (0.3 if late else 0.05))
        tape.send("confirmation", "confirmed", at + 0.4, parent=second if late else first)
        if number == 20:
            tape.process("confirmation", paid, at + 3 * DAY)
    assert not of_kind(tape.analyze(), "missing-step", "stuck")


def test_a_crash_is_matched_by_a_clock_that_runs_behind() -> None:
    """The children of a handler that died begin before the send, as all steps of its kind do."""
    tape = Tape()
    for number in range(60):
        at = number * 60.0
        sent = tape.send("shop", "orders", at)
        if number == 30:
            tape.span("stock", "SELECT", at - 1.9, parent="00000000000000dd", trace="died")
        else:
            tape.process("stock", sent, at - 1.9, shape="link")
    tape.span("clock", "tick", 3600 + 10 * MINUTE)
    (finding,) = of_kind(tape.analyze(), "stuck", "late")
    assert finding.cause == "crashed"
