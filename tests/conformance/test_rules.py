"""Each kind of expectation: when it is held, broken, or not to be judged; and what is found."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.checks import Outcome
from analyzer.finding import Severity
from tests.conformance.held import check, counts, held
from tests.support.spans import DAY, HOUR, MINUTE, Ref, Tape, of_kind, state_of

ORDER = """
workflows:
  order:
    starts: {service: shop, step: "POST /orders"}
"""


def order(tape: Tape, at: float, wait: float | None = 0.1, **more: Any) -> Ref:
    """A request that publishes an order; stock takes it `wait` seconds later, or never."""
    root = tape.serve("shop", "POST /orders", at)
    sent = tape.send("shop", "orders", at + 0.01, parent=root)
    if wait is not None:
        tape.process("stock", sent, at + 0.012 + wait, **more)
    return sent


def orders(number: int, wait: float | None = 0.1) -> Tape:
    tape = Tape()
    for n in range(number):
        order(tape, n * 2.0, wait)
    return tape


def step(text: str) -> str:
    return f"{ORDER}    steps:\n      - {{{text}}}\n"


STOCK = 'step: "process orders", service: stock'


# -- required, optional, deadlines -----------------------------------------------------------------


def test_a_required_step_is_missing_with_no_history_at_all() -> None:
    """One instance, one step that nobody ever saw, not even after it the recording goes on."""
    found = held(
        orders(1), step('step: "send receipt", service: billing, required: true'), later_ns=0
    )
    [told] = of_kind(found, "missing-step")
    assert (told.severity, told.service) == (Severity.ERROR, "billing")
    assert (told.waiting_for.service, told.waiting_for.step) == ("billing", "send receipt")
    assert "declared at e.yaml:6" in told.causes[0].supports[0]
    assert counts(check(found, "required")) == (0, 1, 0)
    assert found.by_state == {"stuck": 1}


def test_a_required_message_that_two_never_took_is_stuck_with_its_evidence() -> None:
    """Too few to learn from: without the declaration nothing is said."""
    tape = orders(2)
    lost = order(tape, 10.0, None)
    assert not of_kind(tape.analyze(later_ns=3600 * 10**9), "stuck", "missing-step")
    found = held(tape, step(f"{STOCK}, required: true, within: 5m"))
    [told] = of_kind(found, "stuck")
    assert "declared for order: required, within 5m" in told.message
    assert told.confidence >= 0.9
    assert state_of(found, lost) == "stuck"
    assert counts(check(found, "required")) == (2, 1, 0)


def test_an_optional_step_is_never_missed() -> None:
    tape = orders(40)
    order(tape, 100.0, None)
    assert of_kind(tape.analyze(later_ns=3600 * 10**9), "stuck")
    found = held(tape, step(f"{STOCK}, optional: true"))
    assert not of_kind(found, "stuck", "late", "missing-step")
    assert found.by_state == {"complete": 41}


def test_a_declared_deadline_takes_the_place_of_the_learned_one() -> None:
    """Learned: stuck after seconds. Declared: not before an hour; and then at once."""
    tape = orders(40)
    lost = order(tape, 100.0, None)
    text = step(f"{STOCK}, within: 1h")
    patient = held(tape, text, later_ns=59 * 60 * 10**9)
    assert state_of(patient, lost) == "waiting"
    assert counts(check(patient, "within")) == (40, 0, 1)
    assert dict(check(patient, "within").why) == {"not due yet": 1}
    due = held(tape, text, later_ns=61 * 60 * 10**9)
    assert state_of(due, lost) == "stuck"
    assert counts(check(due, "within")) == (40, 1, 0)


def test_a_deadline_shorter_than_what_is_usual_makes_late() -> None:
    tape = Tape()
    for n in range(40):
        order(tape, n * HOUR, 30 * MINUTE)
    lost = order(tape, 40 * HOUR, None)
    tape.span("clock", "tick", 40 * HOUR + 20 * MINUTE)
    found = held(tape, step(f"{STOCK}, within: 10m"), later_ns=0)
    assert state_of(found, lost) == "late"
    [late] = of_kind(found, "late")
    assert late.severity is Severity.ERROR
    [missed] = of_kind(found, "deadline-missed")
    assert missed.instances == 40
    assert "came after 30m" in missed.message


def test_what_comes_too_late_is_told_though_the_instance_is_complete() -> None:
    tape = orders(10)
    order(tape, 100.0, 7.0)
    found = held(tape, step(f"{STOCK}, within: 5s, severity: warning, owner: team-stock"))
    [told] = of_kind(found, "deadline-missed")
    assert (told.severity, told.owner) == (Severity.WARNING, "team-stock")
    assert found.by_state == {"complete": 11}
    assert counts(check(found, "within")) == (10, 1, 0)


def test_a_deadline_counts_from_the_step_it_comes_after() -> None:
    """The send is half an hour after the start; the answer a second after the send."""
    tape = Tape()
    for n in range(6):
        root = tape.serve("shop", "POST /orders", n * HOUR, 2000.0)
        sent = tape.send("shop", "orders", n * HOUR + 1800, parent=root)
        tape.process("stock", sent, n * HOUR + 1801)
    text = step(f'{STOCK}, after: "publish orders", within: 5s')
    assert counts(check(held(tape, text), "within")) == (6, 0, 0)
    assert counts(check(held(tape, step(f"{STOCK}, within: 5s")), "within")) == (0, 6, 0)


def test_a_step_is_required_only_where_what_it_comes_after_came() -> None:
    tape = orders(3, None)
    text = step('step: "send receipt", service: mail, after: "process orders", required: true')
    found = check(held(tape, text), "required")
    assert counts(found) == (0, 0, 3)
    assert found.why[0][0].startswith("a step that it names was never seen; the nearest name")
    some = orders(3)
    order(some, 300.0, None)  # is not taken
    assert counts(check(held(some, text), "required")) == (0, 3, 0)


def test_names_that_were_never_seen_are_not_held() -> None:
    """A misspelt name is never green."""
    for text in (
        'step: "process orders", service: stock, after: "publish ordrs", required: true',
        'step: "process orders", service: stock, after: "publish ordrs", within: 5s',
    ):
        found = check(held(orders(4), step(text)), "required" if "required" in text else "within")
        assert counts(found) == (0, 0, 4)
        assert "'publish orders'" in found.why[0][0]


def test_a_step_that_stands_alone_lost_its_context_and_is_not_missing() -> None:
    tape = orders(30)
    order(tape, 100.0, None)
    tape.process("stock", "orders", 100.12)
    found = held(tape, step(f"{STOCK}, required: true, within: 1m"))
    assert counts(check(found, "required")) == (30, 0, 1)
    assert not of_kind(found, "stuck", "missing-step")


def test_a_misspelt_step_names_the_nearest_that_was_seen() -> None:
    found = held(orders(3), step('step: "proces orders", service: stock, within: 5m'))
    one = check(found, "within")
    assert one.outcome is Outcome.UNJUDGED
    assert "the nearest name that was seen is 'process orders'" in one.why[0][0]


def test_a_workflow_that_never_ran_is_a_finding() -> None:
    found = held(orders(3), 'workflows: {refund: {starts: "POST /order"}}')
    [told] = of_kind(found, "unmatched-expectation")
    assert "'POST /orders'" in told.message
    assert check(found, "starts").outcome is Outcome.UNJUDGED


def test_a_step_whose_absence_an_error_explains_is_told_once() -> None:
    tape = orders(30)
    root = tape.serve("shop", "POST /orders", 100.0)
    sent = tape.send("shop", "orders", 100.01, parent=root)
    tape.process("stock", sent, 100.1, error=True)
    text = step(f"{STOCK}, required: true") + '      - {step: "send parcel", required: true}\n'
    for n in range(30):
        tape.send("stock", "parcel", n * 2.0 + 0.2, trace=f"parcel {n}")
    found = held(tape, text.replace('"send parcel"', '"publish never"'))
    assert {one.instances for one in of_kind(found, "missing-step")} == {30}
    assert counts(check(found, "required", "publish never")) == (0, 31, 0)


def test_expectations_are_judged_across_traces() -> None:
    """Two traces of one key are one instance: the step in the other trace counts."""
    tape = Tape()
    for n in range(3):
        attributes = {"order.id": f"ord-{n}"}
        tape.serve("shop", "POST /orders", n * 10.0, attributes=attributes)
        tape.process("stock", "orders", n * 10.0 + 1, attributes=attributes)
    text = step(f"{STOCK}, required: true") + "    keys: [order.id]\n"
    assert counts(check(held(tape, text), "required")) == (3, 0, 0)
    apart = held(tape, text.replace("order.id", "other.id"))
    assert check(apart, "required").held == 0


# -- counts, outcomes, pairs, compensations, ends --------------------------------------------------


def shapes(*sends: tuple[str, ...]) -> Tape:
    """One instance for each list of destinations, which a service sends to a second apart."""
    tape = Tape()
    for n, names in enumerate(sends):
        root = tape.serve("shop", "POST /orders", n * 100.0, 60.0)
        for at, name in enumerate(names):
            tape.send("pay", name, n * 100.0 + 1 + at, parent=root)
    return tape


@pytest.mark.parametrize(
    ("times", "expected"),
    [("1", (1, 1, 0)), ("1..2", (2, 0, 0)), ("2..", (1, 1, 0)), ("..1", (1, 1, 0))],
)
def test_how_often_a_step_comes(times: str, expected: tuple[int, int, int]) -> None:
    tape = shapes(("a",), ("a", "a"), ("b",))
    found = held(tape, step(f'step: "publish a", times: {times}'))
    assert counts(check(found, "times")) == expected
    assert bool(of_kind(found, "wrong-count")) is bool(expected[1])


def test_a_step_for_each_of_another() -> None:
    tape = shapes(("a", "b", "a", "b"), ("a", "a", "b"), ("b",))
    found = held(tape, step('step: "publish b", after: "publish a", times: each'))
    assert counts(check(found, "times")) == (1, 2, 0)


def test_exclusive_steps_do_not_come_together_and_excuse_each_other() -> None:
    tape = shapes(("yes",), ("no",), ("yes", "no"))
    text = step('step: "publish yes", required: true') + (
        '    exclusive: [["publish yes", "publish no"]]\n'
    )
    found = held(tape, text)
    assert counts(check(found, "exclusive")) == (2, 1, 0)
    assert counts(check(found, "required")) == (2, 0, 0)
    assert [one.instances for one in of_kind(found, "exclusive-steps")] == [1]


def test_what_is_opened_is_closed() -> None:
    tape = shapes(("shut", "open"), ("shut",), ("shut", "open", "shut"), ("other",))
    text = ORDER + '    pairs: [{open: "publish shut", close: "publish open", within: 1m}]\n'
    found = held(tape, text)
    assert counts(check(found, "pair")) == (1, 2, 0)
    assert [one.instances for one in of_kind(found, "unclosed")] == [2]
    early = held(tape, text.replace("1m", "14d"))
    assert counts(check(early, "pair")) == (1, 0, 2)


def test_a_pair_that_was_never_closed_and_has_no_deadline_is_no_fault() -> None:
    text = ORDER + '    pairs: [{open: "publish shut", close: "publish open"}]\n'
    found = held(shapes(("shut",)), text, later_ns=int(DAY) * 10**9)
    assert dict(check(found, "pair").why) == {"still open, and no deadline is declared": 1}


def test_where_one_step_is_taken_back_all_are() -> None:
    tape = shapes(("pay", "book", "unbook", "refund"), ("pay", "book", "unbook"), ("pay", "book"))
    text = ORDER + (
        '    compensates: {"publish refund": "publish pay", "publish unbook": "publish book"}\n'
    )
    found = held(tape, text)
    assert counts(check(found, "compensates", "publish refund")) == (1, 1, 0)
    assert counts(check(found, "compensates", "publish unbook")) == (2, 0, 0)
    assert sum(one.instances for one in of_kind(found, "incomplete-compensation")) == 1


def test_every_instance_comes_to_an_end() -> None:
    tape = shapes(("a", "done"), ("a", "cancelled"), ("a",))
    text = ORDER + '    ends: ["publish done", "publish cancelled"]\n    within: 10s\n'
    found = held(tape, text)
    assert counts(check(found, "ends")) == (2, 1, 0)
    [told] = of_kind(found, "missing-step")
    assert told.message.startswith("none of publish done, publish cancelled came, in 1 instance")


def test_a_whole_workflow_has_a_deadline() -> None:
    tape = shapes(("a",), ("a", "a", "a"))
    found = held(tape, ORDER + "    within: 2s\n")
    assert counts(check(found, "within")) == (1, 1, 0)
    [told] = of_kind(found, "deadline-missed")
    assert "took 3s" in told.message


# -- who does not speak, who owns ------------------------------------------------------------------


def test_external_participants_are_waited_for_by_nobody() -> None:
    tape = orders(30)
    for n in range(3):
        tape.send("stock", "payments.out", n * 2.0 + 0.2, trace=f"t{n}")
        tape.process("stock", "bank.replies", n * 2.0 + 0.3)
    plain = held(tape, ORDER)
    assert of_kind(plain, "unconsumed-message")
    assert of_kind(plain, "orphaned")
    external = 'external: [{service: bank, consumes: "payments.*", sends: bank.replies}]'
    found = held(tape, ORDER + external)
    assert not of_kind(found, "unconsumed-message", "orphaned")


def test_owners_by_step_by_service_by_workflow() -> None:
    tape = orders(30)
    order(tape, 100.0, None)
    base = step(f"{STOCK}, required: true")
    by_workflow = base.replace("    starts:", "    owner: team-shop\n    starts:")
    by_service = by_workflow + 'owners: {"st*": team-stock}\n'
    by_step = by_service.replace("required: true", "required: true, owner: team-step")
    owners = {base: None, by_workflow: "team-shop", by_service: "team-stock", by_step: "team-step"}
    for text, owner in owners.items():
        [told] = of_kind(held(tape, text), "stuck")
        assert told.owner == owner


def test_nothing_declared_changes_nothing() -> None:
    tape = orders(30)
    order(tape, 100.0, None)
    plain = tape.analyze(later_ns=3600 * 10**9)
    declared = held(tape, "workflows: {}")
    assert plain.findings == declared.findings
    assert plain.instances.equals(declared.instances)


def test_a_wildcard_means_every_step_that_it_fits() -> None:
    tape = shapes(("a.x",), ("a.y",), ("b",))
    found = held(tape, step('step: "publish a.?", service: "p*", required: true'))
    assert counts(check(found, "required")) == (2, 1, 0)


def test_a_handler_that_failed_is_not_told_again_for_what_it_did_not_send() -> None:
    tape = Tape()
    for n in range(30):
        root = tape.serve("shop", "POST /orders", n * 10.0)
        sent = tape.send("shop", "orders", n * 10.0 + 0.01, parent=root)
        failed = n == 17
        for attempt in range(3 if failed else 1):
            at = n * 10.0 + 0.1 + attempt
            work = tape.process("stock", sent, at, error=failed)
            if not failed:
                tape.send("stock", "reserved", at + 0.01, parent=work)
    text = step('step: "publish reserved", after: "process orders", within: 5s, required: true')
    found = held(tape, text)
    assert counts(check(found, "required")) == (29, 1, 0)
    assert [one.kind for one in found.findings if one.severity is Severity.ERROR] == ["failed"]


def test_an_attempt_that_gave_way_to_another_lacks_nothing() -> None:
    """The first try of a message sends nothing and asks for a second one, which does."""
    tape = Tape()
    for n in range(30):
        root = tape.serve("shop", "POST /orders", n * 10.0)
        sent = tape.send("shop", "orders", n * 10.0 + 0.01, parent=root)
        first = tape.process("stock", sent, n * 10.0 + 0.1)
        if n % 10 == 3:
            again = tape.send("stock", "orders", n * 10.0 + 0.11, parent=first)
            first = tape.process("stock", again, n * 10.0 + 0.5)
        tape.send("stock", "reserved", first.at + 0.015, parent=first)
    text = step('step: "publish reserved", after: "process orders", within: 5s, required: true')
    found = held(tape, text)
    assert counts(check(found, "required")) == (30, 0, 0)
    assert not of_kind(found, "missing-step", "stuck")
