"""What a failure is put down to: a send, a call, a service that does not answer, a handler."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.finding import State
from analyzer.reporters.groups import instance_groups
from tests.support.spans import Ref, Tape, of_kind, state_of


def raised(error: str) -> dict[str, Any]:
    """Fields of a span that ended with an exception."""
    return {"status": {"code": 2}, "attributes": {"error.type": error}}


def cart(tape: Tape, at: float, *, refused: bool) -> Ref:
    """A page that asks the cart, by gRPC, and fails where the cart does."""
    page = tape.serve("web", "POST /cart", at, error=refused)
    more: dict[str, object] = {"rpc.service": "shop.CartService", "server.address": "cart"}
    if refused:
        more["rpc.grpc.status_code"] = 14
    tape.span(
        "web", "CartService/Add", at, kind="client", parent=page, error=refused, attributes=more
    )
    return page


def edge(tape: Tape, at: float, path: str, error: str = "") -> Ref:
    """A request of a load generator that reaches nobody."""
    given: dict[str, object] = {"http.request.method": "GET", "url.path": path}
    status = {"code": 2} if error else {}
    given |= {"error.type": error} if error else {}
    return tape.span("load", "GET", at, kind="client", status=status, attributes=given)


def test_a_send_that_its_library_refuses_is_a_failed_send() -> None:
    """aiokafka raises before anything is sent: no handler failed."""
    tape = Tape()
    sent = tape.send("shop", "orders", 1.0, **raised("MessageSizeTooLargeError"))
    found = tape.analyze()
    (finding,) = of_kind(found, "failed")
    assert finding.cause == "send-failed"
    assert "MessageSizeTooLargeError" in finding.message
    assert state_of(found, sent) == State.FAILED


def test_a_call_that_nobody_answered_is_a_failed_call() -> None:
    """A client whose connection is refused did not fail by its own handler; who was called is
    not named, and the finding says what speaks against being sure."""
    tape = Tape()
    edge(tape, 1.0, "/", "ConnectionError")
    (finding,) = of_kind(tape.analyze(), "failed")
    assert finding.cause == "call-failed"
    assert finding.causes[0].against
    assert finding.causes[0].confidence < finding.confidence


def test_a_name_that_was_not_found_inside_a_call_is_a_failed_call() -> None:
    """Node's instrumentations write dns and tcp spans below the call that they end."""
    tape = Tape()
    page = tape.serve("web", "GET /", 1.0, error=True)
    call = tape.span("web", "GET", 1.0, kind="client", parent=page, error=True)
    tape.span("web", "dns.lookup", 1.0, parent=call, **raised("ENOTFOUND"))
    (finding,) = of_kind(tape.analyze(), "failed")
    assert finding.cause == "call-failed"


def test_a_statement_that_the_database_refuses_is_the_handlers_error() -> None:
    tape = Tape()
    page = tape.serve("web", "GET /", 1.0, error=True)
    tape.span(
        "web",
        "INSERT",
        1.0,
        kind="client",
        parent=page,
        error=True,
        attributes={"db.system": "postgresql"},
    )
    (finding,) = of_kind(tape.analyze(), "failed")
    assert finding.cause == "handler-error"


def test_an_answer_with_an_error_is_no_silence() -> None:
    """A callee that answers 409 was there: the call failed, and nobody is called silent."""
    tape = Tape()
    page = tape.serve("web", "GET /", 1.0, error=True)
    given = {"server.address": "stock", "http.response.status_code": 409}
    tape.span("web", "GET", 1.0, kind="client", parent=page, error=True, attributes=given)
    (finding,) = of_kind(tape.analyze(), "failed")
    assert finding.cause == "call-failed"


def test_a_service_that_does_not_answer_is_one_finding_wherever_it_surfaces() -> None:
    """Two workflows fail at the same dead service: one fault, both named."""
    tape = Tape()
    for number in range(6):
        cart(tape, number, refused=True)
    for number in range(3):
        root = tape.serve("web", "POST /checkout", 10 + number, error=True)
        tape.span(
            "web",
            "GetCart",
            10 + number,
            kind="client",
            parent=root,
            error=True,
            attributes={"rpc.service": "shop.CartService", "rpc.grpc.status_code": 14},
        )
    (finding,) = of_kind(tape.analyze(), "failed")
    assert (finding.cause, finding.service, finding.instances) == ("downstream-silent", "cart", 9)
    assert "9 of 9 calls" in finding.message
    assert "POST /cart in 6 instances" in finding.message
    assert "POST /checkout in 3" in finding.message
    assert "gRPC status 14" in finding.message


@pytest.mark.parametrize("answered", [0, 5])
def test_the_calls_that_were_answered_speak_against_it(answered: int) -> None:
    tape = Tape()
    for number in range(answered):
        page = tape.serve("web", "GET /ads", number)
        tape.call(page, "ads", "GetAds", number)
    page = tape.serve("web", "GET /ads", 100, error=True)
    tape.span(
        "web",
        "GetAds",
        100,
        kind="client",
        parent=page,
        error=True,
        attributes={"server.address": "ads"},
    )
    (finding,) = of_kind(tape.analyze(), "failed")
    (cause,) = finding.causes
    assert cause.cause == "downstream-silent"
    assert bool(cause.against) == bool(answered)
    assert f"1 of {answered + 1} call" in finding.message


@pytest.mark.parametrize("strays", [2, 7])
def test_a_named_culprit_comes_before_a_guess_about_as_many(strays: int) -> None:
    """Six requests fail at one dead service, a few more never reached anything: what is known
    is said first."""
    tape = Tape()
    for number in range(6):
        cart(tape, number, refused=True)
    for number in range(strays):
        edge(tape, 20 + number, f"/{'abcdefgh'[number]}", "ConnectionError")
    first = instance_groups(tape.analyze().findings)[0]
    assert (first.kind, first.worst.service) == ("failed", "cart")


def test_a_callee_that_died_is_told_by_its_children_whatever_the_caller_was_told() -> None:
    """A proxy answers 500 for a handler that was killed; its query names an absent parent."""
    tape = Tape()
    for number in range(5):
        tape.call(tape.serve("web", "GET /", number), "stock", "GET /stock", number)
    page = tape.serve("web", "GET /", 5, error=True)
    given = {"server.address": "stock", "http.response.status_code": 500}
    tape.span("web", "GET", 5, kind="client", parent=page, error=True, attributes=given)
    tape.span("stock", "SELECT", 5, parent="00000000000000dd", trace=page.trace)
    found = tape.analyze()
    assert [one.cause for one in of_kind(found, "failed")] == ["crashed"]
