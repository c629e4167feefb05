"""Follows a store's log as it grows, also across compaction and restarts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.store import manifest
from collectors.store.frames import Frame, scan
from collectors.store.layout import Layout, found

AT_ONCE = 32 << 20  # bytes read in one go


@dataclass(frozen=True, slots=True)
class File:
    """Requests that were compacted before they were read: a Parquet file holds them."""

    path: Path
    last: int  # sequence number
    until_ns: int  # arrival of its last request


class Follower:
    """Reads every request after a sequence number, each once and in order.

    `sequence` is the last one that was given out; `damaged` counts stretches that could not be
    read.
    """

    def __init__(self, folder: Path, after: int = 0) -> None:
        self.layout: Layout = found(folder)
        self.sequence = after
        self.damaged = 0
        self._open: tuple[Path, int] | None = None  # (segment, descriptor)
        self._offset = 0

    def close(self) -> None:
        """Close the segment that is being read."""
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def settle(self) -> None:
        """Have on disk what was read. Raises OSError."""
        if self._open is not None:
            os.fdatasync(self._open[1])

    def poll(self) -> Iterator[Frame | File]:
        """What has come since the last call."""
        while True:
            if self._open is not None:
                yield from self._rest()
            following = self._following()
            if following is None:
                return
            if self._open is not None:
                # now that another follows it grows no more: what came between the two looks
                yield from self._rest()
            if isinstance(following, File):
                if following.last <= self.sequence:
                    continue
                self.close()
                self.sequence = following.last
                yield following
            elif not self._switch(following):
                continue

    def _rest(self) -> Iterator[Frame]:
        """The frames of the open segment that were not read yet."""
        assert self._open is not None
        descriptor = self._open[1]
        while data := os.pread(descriptor, AT_ONCE, self._offset):
            end = 0
            for item in scan(data, self.layout.salt):
                end = item.end
                if not isinstance(item, Frame):
                    self.damaged += 1
                elif item.sequence > self.sequence:
                    self.sequence = item.sequence
                    yield item
            if not end and len(data) == AT_ONCE:  # one frame larger than what is read at once
                data = os.pread(descriptor, os.fstat(descriptor).st_size, self._offset)
                end = next((item.end for item in scan(data, self.layout.salt)), 0)
                yield from self._single(data)
            if not end:
                return
            self._offset += end

    def _single(self, data: bytes) -> Iterator[Frame]:
        item = next(scan(data, self.layout.salt), None)
        if isinstance(item, Frame) and item.sequence > self.sequence:
            self.sequence = item.sequence
            yield item

    def _following(self) -> Path | File | None:
        """Where to read on: the next segment, or the file that has taken its place."""
        current = int(self._open[0].stem) if self._open is not None else -1
        places: list[tuple[int, Path | File]] = [
            (int(path.stem), path) for path in self.layout.segments() if int(path.stem) > current
        ]
        places += [
            (entry.first, File(self.layout.parquet / entry.file, entry.last, entry.until_ns))
            for entry in manifest.load(self.layout).compacted
            if entry.last > self.sequence
        ]
        return min(places, key=lambda place: place[0], default=(0, None))[1]

    def _switch(self, segment: Path) -> bool:
        try:
            descriptor = os.open(segment, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # compacted meanwhile
            return False
        self.close()
        self._open, self._offset = (segment, descriptor), 0
        return True
