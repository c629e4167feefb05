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
from collectors.foreign import Foreign, by_content
from collectors.formats import Format, detect, worth_reading
from collectors.framing import Framing, Torn, messages
from collectors.ledger import Ledger, Where
from collectors.lines import LineTooLong, blocks
from collectors.pool import POOL, Pool
from collectors.raw import RawBatch
from collectors.recording import Recording
from collectors.sifting import Seen, Sieve
from collectors.source import Source, SourceError
from collectors.sources import resolve
from collectors.streams import DamagedStream, Stream, opened

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
    names = tuple(source.name for source in found if not source.obstacle)
    return assemble(parts, ledger.intake(names))


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


class _Reading:
    """One call of `read`: what its sources share."""

    def __init__(self, ledger: Ledger, tell: Callable[[int], None]) -> None:
        self._ledger, self._sieve = ledger, Sieve(ledger)
        self._account = ledger  # of the source that is being read
        self._documents = DocumentReader(ledger, ZipkinSpans(ledger))
        self._pool = Pool()
        self._tell = tell

    def source(self, source: Source) -> Iterator[Part]:
        """The parts of one source."""
        if source.obstacle:
            self._sieve.obstacle(source)
            return
        if source.store is not None:
            yield from self._stored(source.store)
            return
        account = self._account = Ledger()
        self._documents.begin(account)
        seen = Seen(source)
        try:
            with opened(source, self._tell) as stream:
                seen.head = stream.peek()
                seen.kind = detect(seen.head)
                yield from self._parts(seen, stream)
        except SourceError as error:
            if source.chosen:
                raise
            account.reject(Where(source.name), "unreadable", str(error))
        except DamagedStream as error:
            what = f"{error}; what came before was kept"
            account.reject(Where(source.name), error.reason, what)
        except LineTooLong as error:
            account.reject(Where(source.name, error.line), "line-too-long", str(error))
        except Torn as torn:
            account.reject(Where(source.name), "torn-message", str(torn))
        seen.foreign = seen.foreign or self._documents.foreign
        self._sieve.settle(seen, account)

    def _stored(self, folder: Path) -> Iterator[Part]:
        from collectors.store.snapshot import read_parts

        self._ledger.format("store")
        yield from read_parts(folder, self._ledger)

    def _parts(self, seen: Seen, stream: Stream) -> Iterator[Part]:
        if seen.kind in COLUMNAR:
            yield from self._columnar(seen, stream, Format(seen.kind))
            return
        for batch in self._batches(seen, stream):
            seen.spans += len(batch.spans)
            yield from self._pool.add(batch)

    def finish(self) -> Iterator[Part]:
        """What had to wait for the last source."""
        self._documents.zipkin.build(self._documents.builder)
        for batch in self._taken(1):
            yield from self._pool.add(batch)
        yield from self._pool.flush()
        self._sieve.finish()

    def _taken(self, least: int) -> Iterator[RawBatch]:
        if len(self._documents.builder) >= least:
            yield self._documents.take()

    def _columnar(self, seen: Seen, stream: Stream, kind: Format) -> Iterator[Part]:
        from collectors import columnar

        self._account.format(kind.value)
        path, where = seen.source.path, Where(seen.source.name)
        file = path if path is not None and stream.plain and path.is_file() else None
        try:
            data = file or columnar.held(stream)
            if kind is Format.PARQUET:
                yield from columnar.read_parquet(data, self._account, where)
            else:
                is_stream = kind is Format.ARROW_STREAM
                yield from columnar.read_ipc(data, self._account, where, stream=is_stream)
        except columnar.Malformed as error:
            if isinstance(error, columnar.OtherTable) and not seen.source.chosen:
                seen.foreign = Foreign("a table without the columns of spans")
            else:
                self._account.reject(where, f"invalid-{kind.value}", str(error))

    def _batches(self, seen: Seen, stream: Stream) -> Iterator[RawBatch]:
        source, head = seen.source, seen.head
        if isinstance(seen.kind, Framing):
            yield from self._protobuf(source, stream, seen.kind)
        elif seen.kind is Format.TEXT and (source.chosen or worth_reading(head)):
            yield from self._text(source, stream, head)
        elif seen.kind is not Format.EMPTY:  # a readme beside the recordings of a folder
            seen.foreign = by_content(head)

    def _protobuf(self, source: Source, stream: Stream, framing: Framing) -> Iterator[RawBatch]:
        from collectors.decoders import otlp_protobuf  # ptars costs 0.1 s to load

        self._account.format("otlp-protobuf")
        yield from otlp_protobuf.decode(messages(stream, framing), self._account, source.name)

    def _text(self, source: Source, stream: Stream, head: bytes) -> Iterator[RawBatch]:
        for texts in self._texts(source, stream, head):
            yield from otlp_lines.decode(texts, self._documents)
            yield from self._taken(POOL)

    def _texts(self, source: Source, stream: Stream, head: bytes) -> Iterator[list[Text]]:
        if is_document(head):
            whole = stream.rest(MAX_DOCUMENT)
            for piece in pieces(whole, self._account, Where(source.name)):
                yield [piece]
            return
        for block in blocks(stream):
            lines = enumerate(block.data.split(b"\n"), block.line)
            yield [Text(line, Where(source.name, number)) for number, line in lines if line]
