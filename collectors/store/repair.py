"""Makes a store's identity and manifest anew where they were lost; what is unreadable is moved."""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path

from collectors.store import manifest
from collectors.store.files import Files
from collectors.store.identity import readable, salt_of
from collectors.store.layout import (
    IDENTITY,
    Layout,
    StoreError,
    Unidentified,
    begin,
    found,
    locked,
)
from collectors.store.manifest import Manifest


def repair(folder: Path) -> tuple[str, ...]:
    """What was done, a sentence each; nothing is deleted. Raises StoreError."""
    with contextlib.suppress(Unidentified):
        found(folder)
    files = Files()
    with locked(folder):
        done = _identified(folder, files)
        return (*done, *_listed(found(folder), files))


def _identified(folder: Path, files: Files) -> list[str]:
    """Another store.json where there is none that can be read, or it is not the one of the log."""
    try:
        known = found(folder)
    except Unidentified:
        known = Layout(folder, b"")
    segments = known.segments()
    if known.salt and (not segments or readable(segments, known.salt)):
        return []
    salt = salt_of(segments)
    if known.salt and salt is None:
        return []
    done = [_aside(known, known.identity, files)] if known.identity.exists() else []
    begin(folder, salt or secrets.token_bytes(16), files)
    if not segments:
        return [*done, f"made {IDENTITY} anew"]
    if salt is None:
        return [*done, f"made {IDENTITY} anew; nothing in the log can be read"]
    return [*done, f"made {IDENTITY} anew from the checksums of the log"]


def _listed(layout: Layout, files: Files) -> list[str]:
    """Another manifest where there is none that can be read, or files of it are gone."""
    try:
        known = manifest.load(layout)
    except StoreError:
        return [_aside(layout, layout.manifest, files), *_anew(layout, files)]
    if not layout.manifest.exists() and known.compacted:
        return _anew(layout, files)
    return [*_without_missing(layout, known, files), *_with_unlisted(layout, files)]


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


def _with_unlisted(layout: Layout, files: Files) -> list[str]:
    known = manifest.load(layout)
    found = manifest.unlisted(layout, known)
    for one in found:
        known = known.with_entry(one)
    if found:
        manifest.publish(layout, known, files)
    return [f"{one.file} is listed again, with {one.spans} spans" for one in found]


def _aside(layout: Layout, path: Path, files: Files) -> str:
    name = f"{time.time_ns()}-{path.name}"
    layout.quarantine.mkdir(mode=0o700, exist_ok=True)
    files.rename(path, layout.quarantine / name)
    return f"moved {path.name} to quarantine/{name}"
