"""The manifest: which sequence numbers are compacted into which file, published whole."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from collectors.store.files import Files
from collectors.store.layout import VERSION, Layout, StoreError

ENTRY = b"choreoscope.store.entry"  # metadata of a Parquet file


@dataclass(frozen=True, slots=True)
class Compacted:
    """One Parquet file and the stretch of the log that it stands for."""

    file: str
    first: int  # sequence numbers, both included
    last: int
    requests: int
    spans: int
    bytes: int
    from_ns: int  # arrival of the first and the last request
    until_ns: int
    rejected: dict[str, int] = field(default_factory=dict)  # spans and requests, by reason
    damaged: int = 0  # stretches of the log that went to quarantine


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of a store that are compacted, by sequence number."""

    version: int = VERSION
    compacted: tuple[Compacted, ...] = ()
    removed: int = 0  # last sequence number whose spans retention has removed

    @property
    def last(self) -> int:
        """The last sequence number that is compacted or removed."""
        return max([self.removed, *(entry.last for entry in self.compacted)])

    def with_entry(self, entry: Compacted) -> Manifest:
        """The manifest with one more file, in the place of those it covers."""
        kept = [one for one in self.compacted if one.last < entry.first or one.first > entry.last]
        return replace(self, compacted=tuple(sorted([*kept, entry], key=lambda one: one.first)))

    def without(self, entries: tuple[Compacted, ...]) -> Manifest:
        """The manifest after retention has removed some files."""
        kept = tuple(one for one in self.compacted if one not in entries)
        return replace(
            self, compacted=kept, removed=max([self.removed, *(e.last for e in entries)])
        )


def load(layout: Layout) -> Manifest:
    """The manifest as it is now; where it is lost, what the Parquet files say. Raises StoreError.

    An empty one beside Parquet files would have them taken for leftovers.
    """
    try:
        return msgspec.json.decode(layout.manifest.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return from_files(layout)
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(
            f"{layout.manifest} cannot be read: {error}; "
            "`choreoscope store repair` makes it anew from the Parquet files"
        ) from error


def about(entry: Compacted) -> dict[bytes, bytes]:
    """The entry as metadata of its file, so that a lost manifest can be made anew."""
    return {ENTRY: msgspec.json.encode(entry)}


def from_files(layout: Layout) -> Manifest:
    """The manifest as the Parquet files tell it: what retention has removed is not known.

    Raises StoreError where a file cannot be read.
    """
    entries = [entry_of(path) for path in sorted(layout.parquet.glob("*.parquet"))]
    return Manifest(compacted=tuple(entries))


def unlisted(layout: Layout, known: Manifest) -> tuple[Compacted, ...]:
    """Files with requests that the manifest does not know of: it is older than they are. Files that
    cannot be read are left out, as are those that expired or that others stand for."""
    names = {entry.file for entry in known.compacted}
    found = []
    for path in sorted(layout.parquet.glob("*.parquet")):
        if path.name not in names:
            with contextlib.suppress(StoreError):
                found.append(entry_of(path))
    return tuple(
        one
        for one in found
        if one.last > known.removed
        and all(other.last < one.first or other.first > one.last for other in known.compacted)
    )


def entry_of(path: Path) -> Compacted:
    """What a Parquet file says of itself. Raises StoreError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = (pq.read_schema(path).metadata or {})[ENTRY]
        found = msgspec.json.decode(told, type=Compacted)
    except KeyError:
        raise StoreError(f"{path} does not say which requests it holds") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    return replace(found, file=path.name, bytes=path.stat().st_size)


def publish(layout: Layout, manifest: Manifest, files: Files) -> None:
    """Put the manifest in the old one's place, on disk when this returns."""
    files.publish(layout.manifest, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
