"""What is only worth knowing is no trouble; what nobody takes says where it waits."""

from __future__ import annotations

import msgspec

from analyzer.finding import Severity, State
from analyzer.reporters.context import Context
from analyzer.reporters.json import render as json_report
from analyzer.reporters.text import render as text_report
from tests.support.spans import Tape, of_kind, state_of


def without_context(times: int) -> Tape:
    """A library that drops the context of every message: no case of the consumer has a parent."""
    tape = Tape()
    for number in range(times):
        tape.send("shop", "orders", number)
        tape.process("stock", "orders", number + 0.1)
    return tape


def test_a_beginning_that_is_never_to_be_seen_is_no_trouble() -> None:
    found = without_context(10).analyze()
    told = of_kind(found, "orphaned")
    assert told
    assert {one.severity for one in told} == {Severity.NOTE}
    assert State.ORPHANED not in found.by_state
    text = text_report(found, Context())
    assert "attention" not in text
    assert "Worst" not in text
    assert "Nothing wrong in" in text


def test_a_beginning_that_others_have_is_trouble() -> None:
    tape = Tape()
    for number in range(20):
        root = tape.serve("shop", "POST /orders", number)
        sent = tape.send("shop", "orders", number + 0.01, parent=root)
        tape.process("stock", sent, number + 0.1)
    lost = tape.process("stock", "orders", 5.5, parent="00000000000000aa")
    tape.span("clock", "tick", 100.0)
    assert state_of(tape.analyze(), lost) == State.ORPHANED


def test_a_message_that_nobody_takes_says_where_it_waits() -> None:
    """In the finding, the JSON report and the text report."""
    tape = Tape()
    for number in range(3):
        root = tape.serve("shop", "POST /orders", number)
        tape.send("shop", "orders", number + 0.1, parent=root)
        tape.send("shop", "audit", number + 0.2, parent=root)
    found = tape.analyze()
    told = of_kind(found, "unconsumed-message")
    assert {one.waiting_for.destination for one in told} == {"orders", "audit"}
    document = msgspec.json.decode(json_report(found, Context()))
    places = {
        one["waiting_for"]["destination"]
        for one in document["findings"]
        if one["kind"] == "unconsumed-message"
    }
    assert places == {"orders", "audit"}
    text = text_report(found, Context())
    assert "over" in text
    assert "audit (3)" in text


def test_a_message_that_nobody_takes_expects_no_step_of_anybody() -> None:
    tape = Tape()
    sent = tape.send("shop", "audit", 1.0)
    graph = tape.analyze().instance(sent.trace).graph()
    assert [data["expected"] for _, data in graph.nodes(data=True)] == [False]


def test_the_consumers_of_all_destinations_that_lost_their_context_are_counted() -> None:
    tape = Tape()
    for number, topic in enumerate(("a", "b", "c")):
        tape.send("shop", topic, number)
        tape.process("stock", topic, number + 0.1)
    (told,) = of_kind(tape.analyze(), "unconsumed-message")
    assert told.instances == 3
    assert "3 consumer spans of its 3 destinations" in told.message
