"""Turns closed segments of the log into Parquet; what cannot be read goes to quarantine.

Each step may be the last one before a crash. The files are named after the first sequence number,
so that doing a step again changes nothing: Parquet as a draft, synced, put in its place; then the
manifest; then the segments are removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from collectors.assemble import assemble
from collectors.columnar import write_parquet
from collectors.ledger import Ledger
from collectors.store import manifest
from collectors.store.decoding import Decoder
from collectors.store.files import Files
from collectors.store.frames import Damage, Request, scan
from collectors.store.layout import Layout
from collectors.store.manifest import Compacted

TOGETHER = 64 << 20  # bytes of small segments that become one file


def compact(layout: Layout, segments: Sequence[Path], files: Files) -> list[Compacted]:
    """Compact these closed segments, oldest first; those that are compacted already are removed.

    Returns an entry for each file that was written. Raises OSError where the disk is full: the
    segments stay as they are.
    """
    done = manifest.load(layout)
    waiting = []
    for segment in segments:
        if int(segment.stem) <= done.last:
            files.remove(segment)  # a crash came between the manifest and this
        else:
            waiting.append(segment)
    return [_compact(layout, group, files) for group in _groups(waiting)]


def _groups(segments: Sequence[Path]) -> Iterator[list[Path]]:
    group: list[Path] = []
    size = 0
    for segment in segments:
        bytes_ = segment.stat().st_size
        if group and size + bytes_ > TOGETHER:
            yield group
            group, size = [], 0
        group.append(segment)
        size += bytes_
    if group:
        yield group


@dataclass(slots=True)
class _Span:
    """What a group of segments covers."""

    first: int
    last: int = 0
    requests: int = 0
    damaged: int = 0
    from_ns: int = 0
    until_ns: int = 0
    quarantined: list[tuple[str, bytes]] = field(default_factory=list)


def _compact(layout: Layout, segments: Sequence[Path], files: Files) -> Compacted:
    ledger, covered = Ledger(), _Span(first=int(segments[0].stem))
    decoder = Decoder(ledger, "store")
    parts = list(decoder.add(_requests(layout, segments, covered)))
    parts += decoder.finish()
    recording = assemble(parts, ledger.intake(()))
    target = layout.parquet / f"{covered.first:020d}.parquet"
    draft = target.with_suffix(".tmp")
    entry = Compacted(
        file=target.name,
        first=covered.first,
        last=max(covered.last, int(segments[-1].stem)),
        requests=covered.requests,
        spans=len(recording.spans),
        bytes=0,
        from_ns=covered.from_ns,
        until_ns=covered.until_ns,
        rejected=dict(ledger.intake(()).rejected),
        damaged=covered.damaged,
    )
    write_parquet(recording, draft, manifest.about(entry))
    draft.chmod(0o600)
    files.sync_path(draft)
    for name, data in covered.quarantined:
        files.publish(layout.quarantine / name, data)
    files.rename(draft, target)
    entry = replace(entry, bytes=target.stat().st_size)
    manifest.publish(layout, manifest.load(layout).with_entry(entry), files)
    for segment in segments:
        files.remove(segment)
    return entry


def _requests(layout: Layout, segments: Sequence[Path], covered: _Span) -> Iterator[Request]:
    for segment in segments:
        data = segment.read_bytes()
        end = 0
        for item in scan(data, layout.salt):
            end = item.end
            if item.sequence is not None:
                covered.last = max(covered.last, item.sequence)
            if isinstance(item, Damage):
                _quarantine(covered, segment, data, item)
                continue
            covered.requests += 1
            covered.from_ns = covered.from_ns or item.time_ns
            covered.until_ns = item.time_ns
            yield item.request
        if end < len(data):  # was being written when the machine went down: never acknowledged
            _quarantine(covered, segment, data, Damage(end, len(data), "cut short"))


def _quarantine(covered: _Span, segment: Path, data: bytes, damage: Damage) -> None:
    covered.damaged += 1
    name = f"{segment.stem}-{damage.begin}-{damage.reason.replace(' ', '-')}.bin"
    covered.quarantined.append((name, data[damage.begin : damage.end]))
