"""One thing is told in the singular; an error that is cut short says so."""

from __future__ import annotations

import pytest

from tests.support.spans import Tape


def _notes(tape: Tape) -> list[str]:
    return [note.message for note in tape.analyze().data_notes]


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 step begins before"), (2, "2 steps begin before")]
)
def test_skew_agrees_with_its_number(count: int, said: str) -> None:
    tape = Tape()
    for number in range(count):
        sent = tape.send("a", "q", number * 10 + 1.0)
        tape.process("b", sent, number * 10 + 0.5)
    assert any(note.startswith(said) for note in _notes(tape))


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 of 1 link points to spans"), (2, "2 of 2 links point to spans")],
)
def test_links_agree_with_their_number(count: int, said: str) -> None:
    tape = Tape()
    nowhere = [{"traceId": f"{n:032x}", "spanId": f"{n:016x}"} for n in range(1, count + 1)]
    tape.serve("a", "GET /", 0, links=nowhere)
    assert any(note.startswith(said) for note in _notes(tape))


def test_an_address_that_is_cut_says_so() -> None:
    """`10.0.0.9:95` for `10.0.0.9:9555` would send somebody to another port."""
    address = "10.0.0.9:9555"
    told = "x" * (90 - len(address) + 2) + address
    tape = Tape()
    tape.serve("a", "GET /", 0, status={"code": 2, "message": told})
    messages = [f.message for f in tape.analyze().findings if f.kind == "failed"]
    assert messages
    assert all("xxx" in message and message.endswith("…") for message in messages)
