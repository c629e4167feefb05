"""Reads sources of any supported format into one recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from collectors.assemble import assemble
from collectors.canonical import Part, canonical
from collectors.decoders.documents import DocumentReader
from collectors.decoders.json_documents import MAX_DOCUMENT, is_document, pieces
from collectors.decoders.zipkin import ZipkinSpans
from collectors.formats import Format, detect, is_json
from collectors.framing import Framing, Torn, messages
from collectors.ledger import Ledger, Where
from collectors.lines import LineTooLong, blocks
from collectors.raw import RawBatch
from collectors.recording import Recording
from collectors.sources import Source, resolve
from collectors.streams import DamagedStream, Stream, opened

BATCH = 50_000  # spans; row numbers of a batch fit 16 bits, which makes sorting cheap

Progress = Callable[[int, int], None]


def read(sources: Sequence[str | Path], *, progress: Progress | None = None) -> Recording:
    """Read files, folders, globs and `-` (standard input) into one recording.

    `progress` is called with (bytes done, bytes total). A bad line or span costs itself only:
    see `Recording.intake`. Raises SourceError where a source cannot be read at all.
    """
    found = resolve(sources)
    ledger = Ledger()
    reading = _Reading(ledger, _meter(found, progress))
    parts = [part for source in found for part in reading.source(source)]
    parts += reading.finish()
    return assemble(parts, ledger.intake(tuple(source.name for source in found)))


def recording_from(batches: Sequence[RawBatch], ledger: Ledger | None = None) -> Recording:
    """A recording of raw batches, such as a `raw.Builder` gives: for decoders, simulators, tests."""
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
        self.ledger = ledger
        self.zipkin = ZipkinSpans(ledger)
        self._documents = DocumentReader(ledger, self.zipkin)
        self._tell = tell

    def source(self, source: Source) -> Iterator[Part]:
        """The parts of one source."""
        where = Where(source.name)
        try:
            with opened(source, self._tell) as stream:
                yield from self._stream(source, stream)
        except DamagedStream as error:
            self.ledger.reject(where, "damaged-compression", f"{error}; what came before was kept")
        except LineTooLong as error:
            self.ledger.reject(Where(source.name, error.line), "line-too-long", str(error))

    def finish(self) -> Iterator[Part]:
        """What had to wait for the last source."""
        self.zipkin.build(self._documents.builder)
        if len(self._documents.builder):
            yield canonical(self._documents.take())

    def _stream(self, source: Source, stream: Stream) -> Iterator[Part]:
        head = stream.peek()
        kind = detect(head)
        if kind is Format.TEXT:
            if source.chosen or is_json(head):
                yield from self._text(source, stream, head)
            else:
                self._not_traces(source)
        elif isinstance(kind, Framing):
            self.ledger.format("otlp-protobuf")
            yield from self._protobuf(source, stream, kind)
        elif kind is Format.UNKNOWN and source.chosen:
            detail = f"no trace format begins with the bytes {head[:8].hex()}"
            self.ledger.reject(Where(source.name), "unknown-format", detail)
        elif kind is Format.UNKNOWN:
            self._not_traces(source)

    def _not_traces(self, source: Source) -> None:
        """A readme beside the recordings of a folder is no damage."""
        self.ledger.skipped["other-files"] += 1
        self.ledger.warn(f"{source.name} was left out: it holds no traces")

    def _protobuf(self, source: Source, stream: Stream, framing: Framing) -> Iterator[Part]:
        from collectors.decoders import otlp_protobuf

        try:
            found = messages(stream, framing)
            yield from otlp_protobuf.parts(found, self.ledger, source.name)
        except Torn as torn:
            detail = f"at byte {torn.at}: {torn.detail}"
            self.ledger.reject(Where(source.name), "torn-message", detail)

    def _text(self, source: Source, stream: Stream, head: bytes) -> Iterator[Part]:
        for text, where in self._texts(source, stream, head):
            self._documents.text(text, where)
            if len(self._documents.builder) >= BATCH:
                yield canonical(self._documents.take())

    def _texts(self, source: Source, stream: Stream, head: bytes) -> Iterator[tuple[bytes, Where]]:
        if is_document(head):
            whole = stream.rest(MAX_DOCUMENT)
            yield from pieces(whole, self.ledger, Where(source.name))
            return
        for block in blocks(stream):
            for number, line in enumerate(block.data.split(b"\n"), block.line):
                yield line, Where(source.name, number)
