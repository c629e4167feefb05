"""Which compacted files are too old, or too much."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collectors.store import manifest
from collectors.store.files import Files
from collectors.store.layout import Layout, StoreError
from collectors.store.manifest import Compacted, Manifest


@dataclass(frozen=True, slots=True)
class Retention:
    """What to keep; 0 = without limit."""

    age_ns: int = 0  # since arrival
    bytes: int = 0  # of Parquet


def expired(entries: tuple[Compacted, ...], keep: Retention, now_ns: int) -> tuple[Compacted, ...]:
    """The oldest files, as many as must go."""
    total = sum(entry.bytes for entry in entries)
    gone = []
    for entry in entries:
        too_old = keep.age_ns and now_ns - entry.until_ns > keep.age_ns
        too_much = keep.bytes and total > keep.bytes
        if not (too_old or too_much):
            break
        gone.append(entry)
        total -= entry.bytes
    return tuple(gone)


def remove(layout: Layout, keep: Retention, now_ns: int, files: Files) -> tuple[Compacted, ...]:
    """Remove what is expired: from the manifest first, so that no reader looks for it."""
    current = manifest.load(layout)
    gone = expired(current.compacted, keep, now_ns)
    if gone:
        manifest.publish(layout, current.without(gone), files)
    known = manifest.load(layout)
    names = {entry.file for entry in known.compacted}
    for path in sorted(layout.parquet.glob("*.parquet")):
        if path.name not in names and _is_over(path, known):
            files.remove(path)  # expired now, or before a crash
    return gone


def _is_over(path: Path, known: Manifest) -> bool:
    """Whether a file that the manifest does not name holds nothing but what expired. One that it
    should name, having been put back from elsewhere, is left for `store verify` to tell."""
    if int(path.stem) > known.removed:
        return False
    try:
        return manifest.entry_of(path).last <= known.removed
    except StoreError:
        return False
