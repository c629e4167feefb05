"""Reads what is new in a folder or file that others write: whole lines, and files that are whole.

A file is known by its inode: one that is renamed goes on where it was, one that takes its name
begins anew. What is no plain text of lines (packed files, Parquet, protobuf, one large document) is
read whole, once it has been left alone for a while, and again where it changes: what was there
before is the same spans, which count once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import polars as pl

from collectors.assemble import as_part, kept
from collectors.canonical import Part
from collectors.decoders import otlp_lines
from collectors.decoders.documents import DocumentReader
from collectors.decoders.json_documents import Text, is_document
from collectors.decoders.zipkin import ZipkinSpans
from collectors.folders import Entry, below, examined
from collectors.formats import Format, detect, worth_reading
from collectors.ledger import Ledger, Where
from collectors.lines import max_line
from collectors.pool import Pool
from collectors.reading import read
from collectors.source import SourceError
from collectors.streams import HEAD
from collectors.unpack import packing_of

AT_ONCE = 64 << 20  # bytes taken in one poll, as far as whole lines and files allow
STILL_NS = 1_500_000_000  # a file that nobody has written to for so long is taken as whole
MARK = 256  # first bytes, by which a file that was written anew is told
FETCHED = 256 << 20  # bytes that are read again for traces that come back; beyond it none are

IDS = ("trace_hi", "trace_lo")

Traces = Set[tuple[int, int]]
Key = tuple[int, int]  # device and inode


@dataclass(slots=True)
class _File:
    """What has been read of one file."""

    lines: bool
    mark: bytes = b""
    offset: int = 0  # bytes read
    line: int = 0  # lines read
    state: tuple[int, int] = (-1, -1)  # (size, time of the last change) when it was read


@dataclass(slots=True)
class Grown:
    """What one poll has found."""

    parts: list[Part] = field(default_factory=list)
    more: bool = False  # there is more already


class Growing:
    """A folder, with all below it, or one file. Used by one thread."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.reads = 0  # stretches of lines and whole files
        self.total = 0  # bytes of all files, at the last poll
        self._files: dict[Key, _File] = {}
        self._ledger = Ledger()

    @property
    def rejected(self) -> Mapping[str, int]:
        """Spans and files that could not be used, by reason."""
        return self._ledger.rejected

    @property
    def done(self) -> int:
        """Bytes read, of `total`."""
        return sum(file.offset for file in self._files.values())

    def poll(self) -> Grown:
        """What has come since the last call, the oldest files first."""
        grown, left = Grown(), AT_ONCE
        entries = present(self.place)
        self.total = sum(status.st_size for _, status in entries)
        self._forget({_key(status) for _, status in entries})
        for entry, status in entries:
            if left <= 0:
                break
            parts, took = self._read(entry, status, left)
            grown.parts += parts
            left -= took
        grown.more = left <= 0
        return grown

    def fetch(self, wanted: Traces) -> list[Part]:
        """Everything that was written of these traces; [] where that is too much to read again."""
        if self.total > FETCHED:
            return []
        try:
            recording = read([self.place])
        except (SourceError, OSError):  # gone between two polls
            return []
        ids = pl.DataFrame(sorted(wanted), schema=dict.fromkeys(IDS, pl.UInt64), orient="row")
        found = (
            recording.spans.select(IDS)
            .join(ids.with_columns(wanted=True), on=IDS, how="left", maintain_order="left")[
                "wanted"
            ]
            .fill_null(False)
        )
        return [as_part(kept(recording, found.to_numpy()))] if found.any() else []

    def _forget(self, present: set[Key]) -> None:
        for key in self._files.keys() - present:
            del self._files[key]

    def _read(self, entry: Entry, status: os.stat_result, most: int) -> tuple[list[Part], int]:
        """(what is new in one file, bytes looked at)."""
        state = (status.st_size, status.st_mtime_ns)
        known = self._files.get(_key(status))
        if known is not None and known.state == state:
            return [], 0
        still = time.time_ns() - status.st_mtime_ns > STILL_NS
        try:
            with entry.path.open("rb") as file:
                mark = file.read(HEAD)
                if known is None or not (known.offset and mark.startswith(known.mark)):
                    known = _File(_is_lines(mark), mark[:MARK])
                if not status.st_size or not (known.lines or still):
                    return [], 0
                if not known.lines:
                    return self._whole(entry.path, known, state)
                if status.st_size < known.offset:
                    known.offset, known.line = 0, 0
                file.seek(known.offset)
                data = file.read(most)
                if len(data) == most and b"\n" not in data:
                    data += file.read(max_line())
                return self._lines(entry.path, known, data, state, still)
        except OSError as error:
            self._ledger.reject(Where(str(entry.path)), "unreadable", error.strerror or str(error))
            return [], 0
        finally:
            if known is not None and status.st_size:
                self._files[_key(status)] = known

    def _lines(
        self, path: Path, known: _File, data: bytes, state: tuple[int, int], still: bool
    ) -> tuple[list[Part], int]:
        cut = data.rfind(b"\n") + 1
        rest = data[cut:]
        if known.offset + len(data) >= state[0]:  # all of it was seen
            if rest and still and _is_json(rest):  # the last line lacks its end, and will do so
                cut = len(data)
            if cut == len(data) or still:
                known.state = state
        if len(rest) > max_line():
            self._ledger.reject(Where(str(path), known.line + 1), "line-too-long", "left out")
            cut = len(data)
        taken = data[:cut]
        known.mark = known.mark or taken[:MARK]
        parts = list(self._decoded(taken, str(path), known.line + 1)) if taken.strip() else []
        known.offset += cut
        known.line += taken.count(b"\n")
        self.reads += bool(taken)
        return parts, len(data)

    def _decoded(self, data: bytes, name: str, line: int) -> Iterator[Part]:
        documents = DocumentReader(self._ledger, ZipkinSpans(self._ledger))
        pool = Pool()
        lines = enumerate(data.split(b"\n"), line)
        texts = [Text(text, Where(name, number)) for number, text in lines if text]
        for batch in otlp_lines.decode(texts, documents):
            yield from pool.add(batch)
        documents.zipkin.build(documents.builder)
        if len(documents.builder):
            yield from pool.add(documents.take())
        yield from pool.flush()

    def _whole(self, path: Path, known: _File, state: tuple[int, int]) -> tuple[list[Part], int]:
        known.state, known.offset = state, state[0]
        self.reads += 1
        try:
            # by its folder's rules where it stands in one: a file of another kind is no error
            recording = read([path if self.place == path else _literally(path)])
        except SourceError as error:
            self._ledger.reject(Where(str(path)), "unreadable", str(error))
            return [], state[0]
        self._ledger.rejected.update(recording.intake.rejected)
        return ([as_part(recording)] if len(recording.spans) else []), state[0]


def present(place: Path) -> list[tuple[Entry, os.stat_result]]:
    """The files there are, by their last change."""
    found = []
    for entry in below(place) if place.is_dir() else [examined(place)]:
        if not entry.obstacle:
            try:
                found.append((entry, entry.path.stat()))
            except OSError:  # gone meanwhile
                continue
    return sorted(found, key=lambda one: (one[1].st_mtime_ns, str(one[0].path)))


def _key(status: os.stat_result) -> Key:
    return status.st_dev, status.st_ino


def _is_lines(head: bytes) -> bool:
    """Whether a file that begins so is text, one document a line."""
    if packing_of(head[:4]) is not None or detect(head) is not Format.TEXT:
        return False
    return worth_reading(head) and not is_document(head)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _literally(path: Path) -> str:
    """A pattern that matches that file only: files that a glob finds may be of another kind."""
    import glob

    escaped = glob.escape(str(path))
    return escaped if glob.has_magic(escaped) else f"{escaped[:-1]}[{escaped[-1]}]"
