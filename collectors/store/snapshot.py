"""What a store holds at one moment, also while another process writes, compacts and removes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from collectors import columnar
from collectors.canonical import Part
from collectors.ledger import Ledger, Where
from collectors.store import manifest
from collectors.store.decoding import Decoder
from collectors.store.frames import Damage, Frame, Request, scan
from collectors.store.layout import Layout, found
from collectors.store.manifest import Manifest
from collectors.table_shape import Malformed

ATTEMPTS = 10  # to read while compaction moves files away

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files that together hold each stored request once."""

    layout: Layout
    manifest: Manifest
    segments: tuple[Path, ...]
    settled: bool = False  # a file that is not there is lost, not moved away meanwhile

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(entry.bytes for entry in self.manifest.compacted) + sum(
            segment.stat().st_size for segment in self.segments
        )


def snapshot(folder: Path) -> Snapshot:
    """The store as it is now. Raises StoreError.

    The manifest is read before the segments are listed and again after it: a segment that was
    compacted in between would be missing, or be there twice.
    """
    layout = found(folder)
    while True:
        before = manifest.load(layout)
        segments = [path for path in layout.segments() if int(path.stem) > before.last]
        if manifest.load(layout) == before:
            return Snapshot(layout, before, tuple(segments))


def read_parts(folder: Path, ledger: Ledger) -> list[Part]:
    """Every stored span, as parts to assemble. Raises StoreError."""
    parts, account = retried(folder, _read)
    ledger.merge(account)
    return parts


def retried(folder: Path, work: Callable[[Snapshot], T]) -> T:
    """The result of `work` on a snapshot none of whose files was moved away meanwhile."""
    for _ in range(ATTEMPTS - 1):
        try:
            return work(snapshot(folder))
        except FileNotFoundError:
            continue
    return work(replace(snapshot(folder), settled=True))


def _read(taken: Snapshot) -> tuple[list[Part], Ledger]:
    ledger = Ledger()
    parts: list[Part] = []
    for entry in taken.manifest.compacted:
        parts += _parquet(taken, entry.file, ledger)
        ledger.rejected.update(entry.rejected)
    parts += log_parts(taken, ledger)
    return parts, ledger


def log_parts(taken: Snapshot, ledger: Ledger) -> Iterator[Part]:
    """What is in the log and not compacted yet."""
    decoder = Decoder(ledger, str(taken.layout.folder))
    for segment in taken.segments:
        yield from decoder.add(_requests(taken, segment, ledger))
    yield from decoder.finish()


def _parquet(taken: Snapshot, name: str, ledger: Ledger) -> Iterator[Part]:
    path = taken.layout.parquet / name
    if is_lost(taken, path):
        said = "the manifest names it, and it is not there; `choreoscope store verify` tells more"
        ledger.reject(Where(str(path)), "missing-parquet", said)
        return
    try:
        yield from columnar.read_parquet(path, ledger, Where(str(path)))
    except Malformed as error:
        ledger.reject(Where(str(path)), "damaged-parquet", str(error))


def is_lost(taken: Snapshot, path: Path) -> bool:
    """Whether that file is gone for good. FileNotFoundError where it may have been moved away,
    for which pyarrow would say something else."""
    if taken.settled:
        return not path.exists()
    path.stat()
    return False


def _requests(taken: Snapshot, segment: Path, ledger: Ledger) -> Iterator[Request]:
    for item in frames(taken.layout, segment):
        if isinstance(item, Frame):
            yield item.request
        else:
            ledger.reject(Where(str(segment)), "damaged-frame", f"byte {item.begin}: {item.reason}")


def frames(layout: Layout, segment: Path, begin: int = 0) -> Iterator[Frame | Damage]:
    """The frames of one segment from byte `begin` on, as far as they are written."""
    yield from scan(segment.read_bytes(), layout.salt, begin)
