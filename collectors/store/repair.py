"""Makes a store's manifest anew where it was lost; moves away what cannot be read."""

from __future__ import annotations

import time
from pathlib import Path

from collectors.store import manifest
from collectors.store.files import Files
from collectors.store.layout import Layout, StoreError, found, locked
from collectors.store.manifest import Manifest


def repair(folder: Path) -> tuple[str, ...]:
    """What was done, a sentence each; nothing is deleted. Raises StoreError."""
    layout, files = found(folder), Files()
    with locked(folder):
        try:
            known = manifest.load(layout)
        except StoreError:
            done = [_aside(layout, layout.manifest, files)]
            return (*done, *_anew(layout, files))
        if known == Manifest() and any(layout.parquet.glob("*.parquet")):
            return tuple(_anew(layout, files))
        return tuple(_without_missing(layout, known, files))


def _anew(layout: Layout, files: Files) -> list[str]:
    done, entries = [], []
    for path in sorted(layout.parquet.glob("*.parquet")):
        try:
            entries.append(manifest.entry_of(path))
        except StoreError as error:
            done.append(f"{error}: {_aside(layout, path, files)}")
    manifest.publish(layout, Manifest(compacted=tuple(entries)), files)
    return [*done, f"made {layout.manifest.name} anew from {len(entries)} files"]


def _without_missing(layout: Layout, known: Manifest, files: Files) -> list[str]:
    gone = tuple(e for e in known.compacted if not (layout.parquet / e.file).exists())
    if gone:
        manifest.publish(layout, known.without(gone), files)
    return [f"{one.file} is gone, and {one.spans} spans with it" for one in gone]


def _aside(layout: Layout, path: Path, files: Files) -> str:
    name = f"{time.time_ns()}-{path.name}"
    files.rename(path, layout.quarantine / name)
    return f"moved {path.name} to quarantine/{name}"
