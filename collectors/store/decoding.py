"""Decodes stored requests: the same decoders as for files, one request after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from collectors.canonical import Part
from collectors.decoders import otlp_lines
from collectors.decoders.documents import DocumentReader
from collectors.decoders.json_documents import Text
from collectors.decoders.zipkin import ZipkinSpans
from collectors.ledger import Ledger, Where
from collectors.pool import POOL, Pool
from collectors.raw import RawBatch
from collectors.store.frames import Kind, Request

TOGETHER = 64  # JSON requests decoded at once


class Decoder:
    """Turns requests into parts. Whatever is wrong with one is counted, never raised."""

    def __init__(self, ledger: Ledger, source: str) -> None:
        self._ledger, self._source = ledger, source
        self._zipkin = ZipkinSpans(ledger)
        self._documents = DocumentReader(ledger, self._zipkin)
        self._pool = Pool()

    def add(self, requests: Iterable[Request]) -> Iterator[Part]:
        """The parts that fill up; `finish` gives the last ones."""
        for kind, group in groupby(requests, key=lambda request: request.kind):
            bodies = (request.body() for request in group)
            for batch in self._batches(kind, bodies):
                yield from self._pool.add(batch)

    def finish(self) -> Iterator[Part]:
        """What is left, spans included that waited for another half."""
        self._zipkin.build(self._documents.builder)
        if len(self._documents.builder):
            yield from self._pool.add(self._documents.take())
        yield from self._pool.flush()

    def _batches(self, kind: Kind, bodies: Iterator[bytes]) -> Iterator[RawBatch]:
        if kind is Kind.OTLP_PROTOBUF:
            from collectors.decoders import otlp_protobuf  # ptars costs 0.1 s to load

            yield from otlp_protobuf.decode(bodies, self._ledger, self._source)
            return
        where = Where(self._source)
        while texts := [
            Text(body, where) for _, body in zip(range(TOGETHER), bodies, strict=False)
        ]:
            yield from otlp_lines.decode(texts, self._documents)
            if len(self._documents.builder) >= POOL:
                yield self._documents.take()
