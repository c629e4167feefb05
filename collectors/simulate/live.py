"""Plays scenarios as if they happened now: each span is there shortly after it has ended."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from collectors.assemble import as_part, assemble, kept
from collectors.canonical import Part
from collectors.ledger import Ledger
from collectors.recording import Recording, empty_recording
from collectors.simulate.otlp import to_json
from collectors.simulate.run import Chunk, chunks
from collectors.simulate.scenario import Scenario
from collectors.simulate.world import CHUNK, EPOCH_NS
from collectors.store.decoding import Decoder
from collectors.store.frames import Encoding, Kind, Request

EXPORT_NS = 300_000_000  # from a span's end until it arrives
LEAD_NS = 2_000_000_000  # so long before its first instance begins a chunk is played


class Live:
    """One scenario that began at `begin_ns`; only what is still to come is in memory."""

    def __init__(self, scenario: Scenario, begin_ns: int) -> None:
        self._shift = begin_ns - EPOCH_NS
        self._chunks: Iterator[Chunk] = chunks(scenario)
        self._apart = CHUNK * scenario.length_ns // scenario.instances
        self._next = begin_ns  # when the next chunk begins
        self._coming: Recording = empty_recording()

    def until(self, now_ns: int) -> list[Part]:
        """The spans that have arrived since the last call."""
        while self._next <= now_ns + LEAD_NS:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._next = 1 << 62
                break
            self._next += self._apart
            self._coming = _joined([as_part(self._coming), *_decoded(chunk, self._shift)])
        arrived = self._coming.spans["end_ns"].to_numpy() <= now_ns - EXPORT_NS
        if not arrived.any():
            return []
        found = kept(self._coming, arrived)
        self._coming = kept(self._coming, np.logical_not(arrived))
        return [as_part(found)]


def _joined(parts: list[Part]) -> Recording:
    return assemble(parts, Ledger().intake(()))


def _decoded(chunk: Chunk, shift: int) -> Iterator[Part]:
    """The chunk's spans through the decoder that any other request goes through."""
    decoder = Decoder(Ledger(), "simulated")
    bodies = map(to_json, chunk.requests)
    requests = [Request(Kind.OTLP_JSON, body, Encoding.NONE, len(body)) for body in bodies]
    for part in (*decoder.add(requests), *decoder.finish()):
        yield Part(
            part.spans.with_columns(pl.col("start_ns", "end_ns") + shift),
            part.links,
            part.events.with_columns(pl.col("time_ns") + shift),
            part.attributes,
            part.link_attributes,
        )
