"""A process that remembers far more names than it holds is told to begin anew."""

from __future__ import annotations

from analyzer.monitor.wear import worn
from collectors.recording import Recording, empty_recording
from tests.support.spans import Tape


def named(names: range) -> Recording:
    tape = Tape()
    for number in names:
        tape.span("shop", f"GET /worn/{number}", number)
    return tape.recording()


def test_words_that_only_gone_spans_had() -> None:
    held = named(range(2_000))  # other tests of this process may have left some before
    assert worn(held, most=1_999) is False  # they are of use
    assert worn(held, most=1_000_000_000) is False
    few = named(range(1_990, 2_000))
    assert worn(few, most=1_999) is True
    assert worn(few, most=1_000_000_000) is False
    assert worn(empty_recording(), most=1_999) is False
