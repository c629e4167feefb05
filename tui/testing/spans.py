"""The spans of one test, as its code finishes them: in memory, from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import overload

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider


class Spans(Sequence[ReadableSpan]):
    """Finished spans, in the order they finished."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: list[ReadableSpan] = []
        self._open: dict[tuple[int, int], str] = {}
        self._providers: dict[str, TracerProvider] = {}
        self._moved = time.monotonic()

    def provider(self, service: str) -> TracerProvider:
        """A tracer provider of its own for a service that runs in this process."""
        if service not in self._providers:
            made = TracerProvider(resource=Resource.create({"service.name": service}))
            made.add_span_processor(Tap(self))
            self._providers[service] = made
        return self._providers[service]

    def settle(self, quiet: float = 0.1, timeout: float = 10.0) -> Spans:
        """Wait until no span is open and none has begun or ended for `quiet` seconds.

        AssertionError, naming the spans that are open, after `timeout` seconds.
        """
        __tracebackhide__ = True
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self._lock:
                still = not self._open and time.monotonic() - self._moved >= quiet
            if still:
                return self
            time.sleep(min(quiet / 5, 0.02))
        with self._lock:
            names = ", ".join(sorted(set(self._open.values()))) or "none, but new ones come"
        raise AssertionError(f"spans were still open after {timeout:g} s: {names}")

    def clear(self) -> None:
        """Forget what has finished so far."""
        with self._lock:
            self._finished.clear()

    def began(self, span: Span) -> None:
        """A span has begun."""
        with self._lock:
            self._open[_identity(span)] = span.name
            self._moved = time.monotonic()

    def ended(self, span: ReadableSpan) -> None:
        """A span has ended."""
        with self._lock:
            self._open.pop(_identity(span), None)
            self._finished.append(span)
            self._moved = time.monotonic()

    @property
    def finished(self) -> tuple[ReadableSpan, ...]:
        """All of them, as they are now."""
        with self._lock:
            return tuple(self._finished)

    @overload
    def __getitem__(self, index: int) -> ReadableSpan: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ReadableSpan]: ...
    def __getitem__(self, index: int | slice) -> ReadableSpan | Sequence[ReadableSpan]:
        return self.finished[index]

    def __iter__(self) -> Iterator[ReadableSpan]:
        return iter(self.finished)

    def __len__(self) -> int:
        return len(self.finished)

    def __repr__(self) -> str:
        return f"<{len(self)} finished spans, {len(self._open)} open>"


class Tap(SpanProcessor):
    """Hands every span to the `Spans` of the test that runs; to nobody between tests."""

    def __init__(self, spans: Spans | None = None) -> None:
        self.spans = spans

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note the span, so that `settle` can wait for it."""
        spans = self.spans
        if spans is not None:
            spans.began(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the finished span."""
        spans = self.spans
        if spans is not None:
            spans.ended(span)


def _identity(span: ReadableSpan) -> tuple[int, int]:
    context = span.context
    return (context.trace_id, context.span_id) if context is not None else (0, 0)
