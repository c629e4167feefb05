"""Decodes OTLP protobuf requests: in columns, and the ones that refuse that one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collectors.decoders import otlp_columns, otlp_messages
from collectors.decoders.otlp_columns import Irregular
from collectors.decoders.otlp_messages import LOST_LINKS
from collectors.envelope import VOID, Walked, is_dense, walked
from collectors.framing import Torn
from collectors.ledger import Ledger, Where
from collectors.raw import Builder, RawBatch
from collectors.streams import DamagedStream

BATCH_REQUESTS = 10_000
BATCH_BYTES = 8 << 20  # about 20,000 spans: small enough for memory that is used over again


def decode(payloads: Iterable[bytes], ledger: Ledger, source: str) -> Iterator[RawBatch]:
    """The spans of the requests; `line` of a problem is the request's number, from 1."""
    for first, batch in _batches(_thinned(payloads, ledger, source)):
        for found in _Batch(ledger, source).halving(batch, first):
            if len(found.spans):
                yield found


def _thinned(payloads: Iterable[bytes], ledger: Ledger, source: str) -> Iterator[bytes]:
    """The requests without the void spans of those where they abound."""
    for number, payload in enumerate(payloads, 1):
        if not is_dense(payload):
            yield payload
            continue
        found = walked(payload)
        where = Where(source, number)
        if found.void:
            detail = f"a span of fewer than {VOID} bytes has not both ids"
            ledger.reject_each(where, "bad-trace-id", detail, found.void)
        if found.empty:
            detail = f"{found.empty:,} empty attributes, events and links"
            ledger.note(where, "empty-parts", detail)
            ledger.warn("empty attributes, events and links were left out")
        _tell_breaks(found, ledger, where)
        yield found.data


def _tell_breaks(found: Walked, ledger: Ledger, where: Where) -> None:
    if found.breaks:
        first, more = found.breaks[0], len(found.breaks) - 1
        detail = f"damaged at byte {first} of the message" + f" and {more} more" * bool(more)
        ledger.reject(where, "invalid-protobuf", f"{detail}; whole spans were kept", more + 1)


def _batches(payloads: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    batch: list[bytes] = []
    first, size = 1, 0
    try:
        for payload in payloads:
            batch.append(payload)
            size += len(payload)
            if len(batch) == BATCH_REQUESTS or size > BATCH_BYTES:
                yield first, batch
                first, batch, size = first + len(batch), [], 0
    except (Torn, DamagedStream):  # what came before is good
        if batch:
            yield first, batch
        raise
    if batch:
        yield first, batch


class _Batch:
    """The requests of one batch on their way into columns."""

    def __init__(self, ledger: Ledger, source: str) -> None:
        self._ledger = ledger
        self._source = source

    def halving(self, payloads: list[bytes], first: int) -> Iterator[RawBatch]:
        """Halves what cannot be read in columns until only the culprits are left."""
        if (batch := self._columns(payloads, first)) is not None:
            yield batch
        elif len(payloads) == 1:
            yield self._mended(payloads[0], first)
        else:
            half = len(payloads) // 2
            yield from self.halving(payloads[:half], first)
            yield from self.halving(payloads[half:], first + half)

    def _columns(self, payloads: list[bytes], first: int) -> RawBatch | None:
        """The spans, read in columns; None where that is not possible."""
        try:
            found = otlp_columns.decode(payloads)
        except Irregular:
            return None
        for loss in found.lost_spans:
            where = Where(self._source, first + loss.request)
            self._ledger.reject_each(where, loss.reason, loss.detail, loss.count)
        for loss in found.lost_links:
            where = Where(self._source, first + loss.request)
            self._ledger.note(where, loss.reason, loss.detail, loss.count)
        if found.lost_links:
            self._ledger.warn(LOST_LINKS)
        return found.batch

    def _mended(self, payload: bytes, number: int) -> RawBatch:
        """What is whole in a damaged request; one by one the spans of a whole one."""
        found, where = walked(payload), Where(self._source, number)
        if found.breaks:
            _tell_breaks(found, self._ledger, where)
            if (batch := self._columns([found.data], number)) is not None:
                return batch
        builder = Builder()
        otlp_messages.decode(found.data, builder, self._ledger, where)
        return builder.batch()
