"""No shape of recording makes the analysis more than linear in its spans."""

from __future__ import annotations

import time

import pytest

from analyzer.pipeline import analyze_recording
from benchmarks.shapes import SHAPES

SMALL, LARGE = 10_000, 100_000
MOST = 3.0  # times the cost of a span: far above noise, far below the 10 of a quadratic one


def cpu_s(shape: str, count: int) -> float:
    """CPU of analysing a span, of all threads of this process."""
    made = SHAPES[shape](count)
    before = time.process_time()
    analyze_recording(made, keys=("tenant.id",))
    return (time.process_time() - before) / count


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_span_of_a_large_recording_costs_what_it_does_in_a_small_one(shape: str) -> None:
    cpu_s(shape, 100)  # thread pools and what is imported late are paid
    assert cpu_s(shape, LARGE) <= MOST * cpu_s(shape, SMALL)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_have_the_spans_they_say_and_are_sorted(shape: str) -> None:
    made = SHAPES[shape](100)
    assert len(made.spans) == 100
    assert made.spans["start_ns"].is_sorted()
    assert made.spans.select("trace_lo", "span_id").is_unique().all()
