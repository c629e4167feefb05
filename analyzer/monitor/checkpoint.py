"""What a monitor holds, kept on disk: after a restart it goes on instead of reading all again.

Two data files and one small one that names them with their checksums, published last: a crash
at any point leaves the checkpoint before, or this one. A checkpoint is only a short cut: where it
is lost or damaged the store is read from its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import google_crc32c
import msgspec
import numpy as np

from analyzer.monitor.remembered import NONE, Hashes
from analyzer.monitor.source import Position
from collectors import columnar
from collectors.assemble import assemble
from collectors.recording import Intake, Recording
from collectors.store.files import Files
from collectors.table_shape import Malformed

VERSION = 1
FOLDER = "monitor"
INDEX = "checkpoint.json"
EVERY_S = 30.0
SHARE = 20  # of the time that the last checkpoint took, at least so often longer until the next


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is not in the store itself or in the outbox."""

    position: Position
    spans: int = 0  # taken in since the beginning
    finished: tuple[tuple[str, str, int], ...] = ()  # (workflow, state, instances)
    overflow: int = 0
    lag: Mapping[str, float] = field(default_factory=dict)
    returning: tuple[tuple[int, int], ...] = ()  # traces to fetch
    recording: Recording | None = None
    gone: Hashes = field(default_factory=lambda: NONE)
    counted: Hashes = field(default_factory=lambda: NONE)


class _Index(msgspec.Struct, frozen=True):
    """The small file."""

    version: int
    store: str
    name: str  # of both data files
    sums: dict[str, int]  # CRC-32C by suffix
    gone: int  # hashes in the second file; the rest are `counted`
    duplicates: int
    conflicts: int
    position: Position
    spans: int
    finished: tuple[tuple[str, str, int], ...]
    overflow: int
    lag: dict[str, float]
    returning: tuple[tuple[int, int], ...]


class Checkpoints:
    """The checkpoints of one store; the last one is kept. `told` says why one was not used."""

    def __init__(self, folder: Path, store: str, files: Files | None = None) -> None:
        self._folder, self._store, self._files = folder / FOLDER, store, files or Files()
        self._last = time.monotonic()
        self._took = 0.0
        self.told = ""
        self.saved = 0

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        return time.monotonic() - self._last >= max(EVERY_S, SHARE * self._took)

    def load(self) -> State | None:
        """The last checkpoint; None where there is none that can be trusted."""
        try:
            return self._load()
        except FileNotFoundError as error:
            if Path(str(error.filename)).name != INDEX:
                self.told = f"{error.filename} is missing"
        except (OSError, ValueError, Malformed, msgspec.MsgspecError) as error:
            self.told = str(error)[:200]
        return None

    def _load(self) -> State:
        index = msgspec.json.decode((self._folder / INDEX).read_bytes(), type=_Index)
        if (index.version, index.store) != (VERSION, self._store):
            raise ValueError("it is of another version, or of another store")
        for suffix, wanted in index.sums.items():
            if google_crc32c.value((self._folder / (index.name + suffix)).read_bytes()) != wanted:
                raise ValueError(f"{index.name}{suffix} is damaged")
        hashes = np.fromfile(self._folder / f"{index.name}.seen", np.uint64)
        parts = list(columnar.read_parquet(self._folder / f"{index.name}.parquet"))
        intake = Intake(duplicates=index.duplicates, conflicts=index.conflicts)
        return State(
            position=index.position,
            spans=index.spans,
            finished=index.finished,
            overflow=index.overflow,
            lag=index.lag,
            returning=index.returning,
            recording=assemble(parts, intake),
            gone=hashes[: index.gone],
            counted=hashes[index.gone :],
        )

    def save(self, state: State) -> None:
        """Keep this state instead of the one before. Raises OSError; the one before stays then."""
        begin = time.monotonic()
        assert state.recording is not None
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{time.time_ns():020d}"
        frames = self._folder / f"{name}.parquet"
        columnar.write_parquet(state.recording, frames)
        frames.chmod(0o600)
        self._files.sync_path(frames)
        seen = state.gone.tobytes() + state.counted.tobytes()
        self._files.publish(self._folder / f"{name}.seen", seen)
        sums = {".parquet": google_crc32c.value(frames.read_bytes())}
        index = self._index(name, sums | {".seen": google_crc32c.value(seen)}, state)
        self._files.publish(self._folder / INDEX, msgspec.json.encode(index))
        for path in self._folder.iterdir():
            if path.name != INDEX and path.stem != name:
                self._files.remove(path)
        self.saved += 1
        self._last = time.monotonic()
        self._took = self._last - begin

    def failed(self) -> None:
        """Try again later, as after a success."""
        self._last = time.monotonic()

    def _index(self, name: str, sums: dict[str, int], state: State) -> _Index:
        intake = state.recording.intake if state.recording else Intake()
        return _Index(
            version=VERSION,
            store=self._store,
            name=name,
            sums=sums,
            gone=len(state.gone),
            duplicates=intake.duplicates,
            conflicts=intake.conflicts,
            position=state.position,
            spans=state.spans,
            finished=state.finished,
            overflow=state.overflow,
            lag=dict(state.lag),
            returning=state.returning,
        )
