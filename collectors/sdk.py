"""Spans of the OpenTelemetry Python SDK, as a test holds them in memory, become a recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from collectors import extras
from collectors.recording import Recording

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

REQUEST = 1_000  # spans in one OTLP request: what a batch processor sends is half of it
SOURCE = "<spans in memory>"


class NoEncoder(ImportError):
    """The package that turns spans of the SDK into OTLP is not installed."""


def encode(spans: Iterable[ReadableSpan]) -> list[bytes]:
    """OTLP protobuf requests of at most REQUEST spans. Raises NoEncoder."""
    try:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    except ImportError as error:
        raise NoEncoder(
            "spans of the SDK are read by opentelemetry-exporter-otlp-proto-common: "
            + extras.how("pytest")
        ) from error
    return [encode_spans(part).SerializeToString() for part in _parts(spans)]


def _parts(spans: Iterable[ReadableSpan]) -> Iterator[Sequence[ReadableSpan]]:
    rest = iter(spans)
    while part := list(islice(rest, REQUEST)):
        yield part


def recording_of(spans: Iterable[ReadableSpan]) -> Recording:
    """The recording of finished spans, such as `InMemorySpanExporter` has. Raises NoEncoder."""
    return recording_of_requests(encode(spans))


def recording_of_requests(requests: Sequence[bytes]) -> Recording:
    """The recording of OTLP protobuf requests, such as `encode` gives."""
    from collectors.decoders import otlp_protobuf
    from collectors.ledger import Ledger
    from collectors.reading import recording_from

    ledger = Ledger()
    ledger.format("otlp-protobuf")
    batches = list(otlp_protobuf.decode(requests, ledger, SOURCE))
    return recording_from(batches, ledger)
