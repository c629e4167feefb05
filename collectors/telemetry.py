"""Traces and measures choreoscope's own stages through OpenTelemetry; nothing unless asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

SCOPE = "choreoscope"
SDK = "opentelemetry.sdk"
DURATION = "choreoscope.stage.duration"


def active() -> bool:
    """Whether somebody may listen: without the SDK there is none, and its API is not loaded."""
    return SDK in sys.modules


def tracer() -> Tracer:
    """The tracer of every stage."""
    from opentelemetry import trace

    return trace.get_tracer(SCOPE)


def meter() -> Meter:
    """The meter of every stage."""
    from opentelemetry import metrics

    return metrics.get_meter(SCOPE)


@contextmanager
def stage(name: str, **attributes: Any) -> Iterator[None]:
    """A span, and its duration in a histogram, around one stage; errors are recorded."""
    if not active():
        yield
        return
    begin = time.perf_counter()
    with tracer().start_as_current_span(f"choreoscope {name}", attributes=attributes):
        try:
            yield
        finally:
            passed = time.perf_counter() - begin
            meter().create_histogram(DURATION, "s").record(passed, {"stage": name})


def note(**attributes: Any) -> None:
    """Add to the present stage's span what is known only at its end."""
    if active():
        from opentelemetry import trace

        trace.get_current_span().set_attributes(attributes)


def count(name: str, amount: int, **attributes: Any) -> None:
    """Add to a counter."""
    if active() and amount:
        meter().create_counter(name).add(amount, attributes)


@contextmanager
def following(progress: Callable[[str], None] | None = None) -> Iterator[Callable[[str], None]]:
    """A callback for the stages of long work: each ends where the next one begins."""
    stack = ExitStack()

    def tell(name: str) -> None:
        stack.close()
        stack.enter_context(stage(name))
        if progress is not None:
            progress(name)

    with stack:
        yield tell
