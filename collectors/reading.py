"""Reads sources of any supported format into one recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from collectors.assemble import assemble
from collectors.canonical import Part, canonical
from collectors.decoders.documents import DocumentReader
from collectors.decoders.zipkin import ZipkinSpans
from collectors.formats import Format, detect
from collectors.ledger import Ledger, Where
from collectors.lines import LineTooLong, blocks
from collectors.raw import Builder, RawBatch
from collectors.recording import Recording
from collectors.sources import Source, resolve
from collectors.streams import DamagedStream, Stream, opened

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
        builder = Builder()
        self.zipkin.build(builder)
        if len(builder):
            yield canonical(builder.batch())

    def _stream(self, source: Source, stream: Stream) -> Iterator[Part]:
        kind = detect(stream.peek())
        if kind is Format.TEXT:
            yield from self._lines(source, stream)

    def _lines(self, source: Source, stream: Stream) -> Iterator[Part]:
        for block in blocks(stream):
            reader = DocumentReader(self.ledger, self.zipkin)
            for number, line in enumerate(block.data.split(b"\n"), block.line):
                reader.text(line, Where(source.name, number))
            if len(reader.builder):
                yield canonical(reader.builder.batch())
