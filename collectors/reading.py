"""Reads sources of any supported format into one recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from collectors.assemble import assemble
from collectors.canonical import Part, canonical
from collectors.decoders import otlp_lines
from collectors.decoders.documents import DocumentReader
from collectors.decoders.json_documents import MAX_DOCUMENT, Text, is_document, pieces
from collectors.decoders.zipkin import ZipkinSpans
from collectors.formats import Format, detect, is_json
from collectors.framing import Framing, Torn, messages
from collectors.ledger import Ledger, Where
from collectors.lines import LineTooLong, blocks
from collectors.raw import RawBatch, merge
from collectors.recording import Recording
from collectors.sources import Source, resolve
from collectors.streams import DamagedStream, Stream, opened

POOL = 45_000  # spans; larger ones cost less time and more memory
POOL_LIMIT = 65_536  # spans; a batch that does not fit begins the next part

COLUMNAR = (Format.PARQUET, Format.ARROW_FILE, Format.ARROW_STREAM)

Progress = Callable[[int, int], None]


def read(sources: Sequence[str | Path], *, progress: Progress | None = None) -> Recording:
    """Read files, folders, globs and `-` (standard input) into one recording.

    `progress` is called with (bytes done, bytes total; 0 where unknown). A bad line or span costs
    itself only: see `Recording.intake`. Raises SourceError where a source cannot be read at all.
    """
    found = resolve(sources)
    ledger = Ledger()
    reading = _Reading(ledger, _meter(found, progress))
    parts = [part for source in found for part in reading.source(source)]
    parts += reading.finish()
    return assemble(parts, ledger.intake(tuple(source.name for source in found)))


def recording_from(batches: Sequence[RawBatch], ledger: Ledger | None = None) -> Recording:
    """A recording of raw batches, such as a `raw.Builder` gives: for simulators and tests."""
    intake = (ledger or Ledger()).intake(())
    return assemble([canonical(batch) for batch in batches], intake)


def _meter(sources: Sequence[Source], progress: Progress | None) -> Callable[[int], None]:
    total, done = sum(source.size for source in sources), 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(min(done, total) if total else done, total)

    return tell


class _Pool:
    """Gathers small batches: promoting a batch has a price of its own, whatever its size."""

    def __init__(self) -> None:
        self._batches: list[RawBatch] = []
        self._spans = 0

    def add(self, batch: RawBatch) -> Iterator[Part]:
        """Take in a batch; gives out a part when there is enough for one."""
        if self._spans and self._spans + len(batch.spans) > POOL_LIMIT:
            yield from self.flush()
        self._batches.append(batch)
        self._spans += len(batch.spans)
        if self._spans >= POOL:
            yield from self.flush()

    def flush(self) -> Iterator[Part]:
        """The part of what is left."""
        if self._spans:
            batch = merge(self._batches)
            self._batches, self._spans = [], 0
            yield canonical(batch)


class _Reading:
    """One call of `read`: what its sources share."""

    def __init__(self, ledger: Ledger, tell: Callable[[int], None]) -> None:
        self.ledger = ledger
        self._zipkin = ZipkinSpans(ledger)
        self._documents = DocumentReader(ledger, self._zipkin)
        self._pool = _Pool()
        self._tell = tell

    def source(self, source: Source) -> Iterator[Part]:
        """The parts of one source."""
        where = Where(source.name)
        try:
            with opened(source, self._tell) as stream:
                kind = detect(stream.peek())
                if kind in COLUMNAR:
                    yield from self._columnar(source, stream, Format(kind))
                    return
                for batch in self._batches(source, stream, kind):
                    yield from self._pool.add(batch)
        except DamagedStream as error:
            self.ledger.reject(where, error.reason, f"{error}; what came before was kept")
        except LineTooLong as error:
            self.ledger.reject(Where(source.name, error.line), "line-too-long", str(error))
        except Torn as torn:
            self.ledger.reject(where, "torn-message", str(torn))

    def finish(self) -> Iterator[Part]:
        """What had to wait for the last source."""
        self._zipkin.build(self._documents.builder)
        for batch in self._taken(1):
            yield from self._pool.add(batch)
        yield from self._pool.flush()

    def _taken(self, least: int) -> Iterator[RawBatch]:
        if len(self._documents.builder) >= least:
            yield self._documents.take()

    def _columnar(self, source: Source, stream: Stream, kind: Format) -> Iterator[Part]:
        from collectors import columnar

        self.ledger.format(kind.value)
        plain = source.path is not None and stream.plain
        try:
            data = source.path if plain and source.path else columnar.held(stream)
            if kind is Format.PARQUET:
                yield from columnar.read_parquet(data)
            else:
                yield from columnar.read_ipc(data, stream=kind is Format.ARROW_STREAM)
        except columnar.Malformed as error:
            self.ledger.reject(Where(source.name), f"invalid-{kind.value}", str(error))

    def _batches(
        self, source: Source, stream: Stream, kind: Format | Framing
    ) -> Iterator[RawBatch]:
        head = stream.peek()
        if isinstance(kind, Framing):
            yield from self._protobuf(source, stream, kind)
        elif kind is Format.TEXT and (source.chosen or is_json(head)):
            yield from self._text(source, stream, head)
        elif kind is Format.EMPTY:
            return
        elif source.chosen:
            detail = f"no trace format begins with the bytes {head[:8].hex()}"
            self.ledger.reject(Where(source.name), "unknown-format", detail)
        else:  # a readme beside the recordings of a folder is no damage
            self.ledger.skipped["other-files"] += 1
            self.ledger.warn(f"{source.name} was left out: it holds no traces")

    def _protobuf(self, source: Source, stream: Stream, framing: Framing) -> Iterator[RawBatch]:
        from collectors.decoders import otlp_protobuf  # ptars costs 0.1 s to load

        self.ledger.format("otlp-protobuf")
        yield from otlp_protobuf.decode(messages(stream, framing), self.ledger, source.name)

    def _text(self, source: Source, stream: Stream, head: bytes) -> Iterator[RawBatch]:
        for texts in self._texts(source, stream, head):
            yield from otlp_lines.decode(texts, self._documents)
            yield from self._taken(POOL)

    def _texts(self, source: Source, stream: Stream, head: bytes) -> Iterator[list[Text]]:
        if is_document(head):
            whole = stream.rest(MAX_DOCUMENT)
            for piece in pieces(whole, self.ledger, Where(source.name)):
                yield [piece]
            return
        for block in blocks(stream):
            lines = enumerate(block.data.split(b"\n"), block.line)
            yield [Text(line, Where(source.name, number)) for number, line in lines if line]
