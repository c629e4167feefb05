"""A process that remembers far more names than it holds is told to begin anew."""

from __future__ import annotations

import pytest

from analyzer.monitor import wear
from analyzer.monitor.wear import worn
from collectors.recording import Recording, empty_recording
from tests.support.spans import Tape


def named(names: range) -> Recording:
    tape = Tape()
    for number in names:
        tape.span("shop", f"GET /worn/{number}", number)
    return tape.recording()


def test_words_that_only_gone_spans_had(monkeypatch: pytest.MonkeyPatch) -> None:
    held = named(range(2_000))
    assert worn(held, most=1_000_000_000) is False
    with monkeypatch.context() as changed:  # other tests of this process have left words, too
        changed.setattr(wear, "WORTH", 1_000)
        assert worn(held, most=1_999) is False  # they are of use
    few = named(range(1_990, 2_000))
    assert worn(few, most=1_999) is True
    assert worn(few, most=1_000_000_000) is False
    assert worn(empty_recording(), most=1_999) is False
