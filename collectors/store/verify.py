"""Reads a whole store and names every place that is damaged; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collectors import columnar
from collectors.ledger import Ledger, Where
from collectors.store import manifest
from collectors.store.frames import Damage, Frame, scan
from collectors.store.layout import ANEW, Layout, StoreError, found
from collectors.store.manifest import Compacted, Manifest
from collectors.store.snapshot import ATTEMPTS, Snapshot
from collectors.table_shape import Malformed


@dataclass(frozen=True, slots=True)
class Place:
    """Something in a store that is not as it should be."""

    file: str  # inside the store's folder
    reason: str
    begin: int = 0  # bytes of the file; both 0 = all of it
    end: int = 0


@dataclass(slots=True)
class Verdict:
    """What a store holds, and what of it cannot be read."""

    requests: int = 0
    spans: int = 0  # in Parquet files
    segments: int = 0
    files: int = 0
    bytes: int = 0
    damaged: list[Place] = field(default_factory=list)
    notes: list[Place] = field(default_factory=list)  # odd, and nothing is lost by it now
    quarantined: int = 0  # files in quarantine: lost before, and told then


def verify(folder: Path) -> Verdict:
    """Read everything, also while another process writes. Raises StoreError where it is no store.

    A file that compaction moves away meanwhile begins the whole again.
    """
    layout = found(folder)
    for _ in range(ATTEMPTS - 1):
        try:
            return _verified(layout)
        except FileNotFoundError:
            continue
    return _verified(layout)


def _verified(layout: Layout) -> Verdict:
    verdict = Verdict()
    known = _manifest(layout, verdict)
    _is_there(layout, known, verdict)
    segments = [path for path in layout.segments() if int(path.stem) > known.last]
    taken = Snapshot(layout, known, tuple(segments))
    for entry in known.compacted:
        _parquet(taken, entry, verdict)
    last = known.last
    for segment in segments:
        _gap(segment, last, verdict)
        last = _segment(taken, segment, verdict)
    verdict.notes += _strangers(taken)
    if layout.quarantine.is_dir():
        verdict.quarantined = len(list(layout.quarantine.iterdir()))
    return verdict


def _manifest(layout: Layout, verdict: Verdict) -> Manifest:
    try:
        return manifest.load(layout)
    except StoreError as error:
        verdict.damaged.append(Place(layout.manifest.name, str(error)))
    try:
        return manifest.from_files(layout)
    except StoreError:
        return Manifest()  # the files are told one by one


def _is_there(layout: Layout, known: Manifest, verdict: Verdict) -> None:
    """It is lost where Parquet files stand for requests that the log holds no more; in the first
    compaction of a store the files come before it."""
    if layout.manifest.exists() or not known.compacted:
        return
    logged = min((int(path.stem) for path in layout.segments()), default=known.last + 1)
    if logged > known.compacted[0].first:
        verdict.damaged.append(Place(layout.manifest.name, f"is missing; {ANEW}"))


def _gap(segment: Path, last: int, verdict: Verdict) -> None:
    """Requests between two segments that are in neither."""
    first = int(segment.stem)
    if first > last + 1:
        reason = f"requests {last + 1} to {first - 1} are not there: lost, or never acknowledged"
        verdict.notes.append(Place(f"{segment.parent.name}/{segment.name}", reason))


def _parquet(taken: Snapshot, entry: Compacted, verdict: Verdict) -> None:
    path = taken.layout.parquet / entry.file
    name = f"{path.parent.name}/{path.name}"
    if not path.exists():
        if manifest.load(taken.layout) != taken.manifest:
            raise FileNotFoundError(path)  # removed by retention meanwhile
        verdict.damaged.append(Place(name, f"is missing; it held {entry.spans} spans"))
        return
    verdict.files, verdict.bytes = verdict.files + 1, verdict.bytes + path.stat().st_size
    verdict.requests += entry.requests
    ledger, spans = Ledger(), 0
    try:
        for part in columnar.read_parquet(path, ledger, Where(name)):
            spans += len(part.spans)
    except Malformed as error:
        verdict.damaged.append(Place(name, f"cannot be read: {error}"))
        return
    verdict.spans += spans
    if spans != entry.spans:
        verdict.damaged.append(Place(name, f"holds {spans} spans, not {entry.spans}"))


def _segment(taken: Snapshot, segment: Path, verdict: Verdict) -> int:
    """Gives the last sequence number that was met."""
    name = f"{segment.parent.name}/{segment.name}"
    data = segment.read_bytes()
    verdict.segments, verdict.bytes = verdict.segments + 1, verdict.bytes + len(data)
    end, last = 0, int(segment.stem)
    for item in scan(data, taken.layout.salt):
        end, last = item.end, max(last, item.sequence or 0)
        if isinstance(item, Damage):
            verdict.damaged.append(_place(name, item))
        else:
            verdict.requests += 1
            verdict.damaged += _packed(name, item)
    if end < len(data):
        reason = "unfinished: being written, or never acknowledged"
        verdict.notes.append(Place(name, reason, end, len(data)))
    return last


def _place(name: str, item: Damage) -> Place:
    number = f" (request {item.sequence})" if item.sequence is not None else ""
    return Place(name, item.reason + number, item.begin, item.end)


def _packed(name: str, frame: Frame) -> Iterator[Place]:
    """A request whose bytes are as they were written, and that cannot be unpacked all the same."""
    try:
        body = frame.request.body()
    except Exception as error:  # whatever zlib and zstd raise
        yield Place(name, f"request {frame.sequence}: {error}", frame.begin, frame.end)
        return
    if len(body) != frame.request.size:
        wrong = f"{len(body)} bytes unpacked, not {frame.request.size}"
        yield Place(name, f"request {frame.sequence}: {wrong}", frame.begin, frame.end)


def _strangers(taken: Snapshot) -> Iterator[Place]:
    known = {entry.file for entry in taken.manifest.compacted}
    for path in sorted(taken.layout.parquet.iterdir()) if taken.layout.parquet.is_dir() else ():
        if path.suffix == ".parquet" and path.name not in known:
            name = f"{path.parent.name}/{path.name}"
            yield Place(name, "is not in the manifest: a compaction or a removal was not finished")
