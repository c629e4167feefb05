"""Decodes OTLP protobuf requests: in columns, and the ones that refuse that one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collectors.decoders import otlp_columns, otlp_messages
from collectors.decoders.otlp_columns import Irregular
from collectors.framing import Torn
from collectors.ledger import Ledger, Where
from collectors.raw import Builder, RawBatch
from collectors.streams import DamagedStream

BATCH_REQUESTS = 100
BATCH_BYTES = 8 << 20  # about 20,000 spans: small enough for memory that is used over again


def decode(payloads: Iterable[bytes], ledger: Ledger, source: str) -> Iterator[RawBatch]:
    """The spans of the requests; `line` of a problem is the request's number, from 1."""
    for first, batch in _batches(payloads):
        yield from _halving(batch, ledger, source, first)


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


def _halving(payloads: list[bytes], ledger: Ledger, source: str, first: int) -> Iterator[RawBatch]:
    """Halves a batch that cannot be read in columns until only the culprits are left."""
    try:
        batch = otlp_columns.decode(payloads)
    except Irregular:
        if len(payloads) == 1:
            yield from _carefully(payloads[0], ledger, Where(source, first))
            return
        half = len(payloads) // 2
        yield from _halving(payloads[:half], ledger, source, first)
        yield from _halving(payloads[half:], ledger, source, first + half)
        return
    if len(batch.spans):
        yield batch


def _carefully(payload: bytes, ledger: Ledger, where: Where) -> Iterator[RawBatch]:
    builder = Builder()
    otlp_messages.decode(payload, builder, ledger, where)
    if len(builder):
        yield builder.batch()
