"""Export requests whose ids and times are new each time, made faster than they are received."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

STEPS = (  # (service, name, kind, operation, destination)
    ("orders", "publish orders.placed", 4, "send", "orders.placed"),
    ("stock", "process orders.placed", 5, "process", "orders.placed"),
    ("stock", "publish stock.reserved", 4, "send", "stock.reserved"),
    ("payments", "process stock.reserved", 5, "process", "stock.reserved"),
)
ORDERS = 125
SPANS = ORDERS * len(STEPS)
Bytes = npt.NDArray[np.uint8]


class Template:
    """One request of `SPANS` spans; a copy costs a few memory writes."""

    def __init__(self) -> None:
        self._random = np.random.default_rng()
        whole = self._request().SerializeToString()
        self._bytes = np.frombuffer(whole, np.uint8)
        self._traces, self._ids, self._parents, self._times = (
            self._places(whole, k) for k in range(4)
        )

    def body(self, lost: int = 0) -> bytes:
        """A request; of the first `lost` orders only the first step is there."""
        if lost:
            return self._less(lost)
        found = self._bytes.copy()
        order = np.repeat(np.arange(ORDERS), len(STEPS))
        traces = self._random.integers(1, 256, (ORDERS, 16), np.uint8)[order]
        ids = self._random.integers(1, 256, (SPANS, 8), np.uint8)
        _put(found, self._traces, traces)
        _put(found, self._ids, ids)
        _put(found, self._parents, ids[np.arange(SPANS)[np.arange(SPANS) % len(STEPS) > 0] - 1])
        now = time.time_ns()
        step = np.tile(np.arange(len(STEPS)), ORDERS)
        ends = now - (len(STEPS) - step) * 10_000_000
        times = np.stack([ends - 4_000_000, ends], axis=1).reshape(-1).astype("<u8")
        _put(found, self._times, times.view(np.uint8).reshape(-1, 8))
        return found.tobytes()

    def _less(self, lost: int) -> bytes:
        request = ExportTraceServiceRequest.FromString(self.body())
        first = {s.trace_id for s in request.resource_spans[0].scope_spans[0].spans[:lost]}
        for group in request.resource_spans[1:]:
            for scope in group.scope_spans:
                kept = [span for span in scope.spans if span.trace_id not in first]
                del scope.spans[:]
                scope.spans.extend(kept)
        return request.SerializeToString()

    def _request(self) -> ExportTraceServiceRequest:
        request = ExportTraceServiceRequest()
        groups = {}
        for service in dict.fromkeys(step[0] for step in STEPS):
            group = request.resource_spans.add()
            _attributes(
                group.resource,
                ("service.name", service),
                ("service.version", "1.4.2"),
                ("telemetry.sdk.language", "java"),
                ("k8s.pod.name", f"{service}-7d9f"),
            )
            groups[service] = group.scope_spans.add()
            groups[service].scope.name = "io.opentelemetry.kafka"
        for index in range(SPANS):
            number = index % len(STEPS)
            service, name, kind, operation, destination = STEPS[number]
            span = groups[service].spans.add(name=name, kind=kind)
            span.trace_id = _mark(0, index) * 2
            span.span_id = _mark(1, index)
            span.parent_span_id = _mark(2, index) if number else b""
            span.start_time_unix_nano = int.from_bytes(_mark(3, 2 * index), "little")
            span.end_time_unix_nano = int.from_bytes(_mark(3, 2 * index + 1), "little")
            _attributes(
                span,
                ("messaging.system", "kafka"),
                ("messaging.operation.type", operation),
                ("messaging.destination.name", destination),
                ("server.address", "kafka-1"),
                ("messaging.client.id", f"{service}-client"),
                ("thread.name", "worker-3"),
            )
        return request

    def _places(self, whole: bytes, kind: int) -> npt.NDArray[np.int64]:
        count = SPANS * (2 if kind == 3 else 1)
        width = 16 if kind == 0 else 8
        found = [whole.find(_mark(kind, n)) for n in range(count)]
        places = np.array([at for at in found if at >= 0])
        return places[:, None] + np.arange(width)


def _attributes(owner: Any, *pairs: tuple[str, str]) -> None:
    for key, value in pairs:
        owner.attributes.add(key=key).value.string_value = value


def _mark(kind: int, index: int) -> bytes:
    """Eight bytes that stand nowhere else."""
    return b"\xf7\x9e\xa1" + bytes([kind]) + index.to_bytes(4, "big")


def _put(target: Bytes, places: npt.NDArray[np.int64], values: Bytes) -> None:
    target[places] = values
