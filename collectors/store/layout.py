"""What lies where in a store's folder, and whose folder it is."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from collectors.source import SourceError
from collectors.store.files import Files

VERSION = 1
IDENTITY = "store.json"
MANIFEST = "manifest.json"
LOG = "log"
PARQUET = "parquet"
QUARANTINE = "quarantine"
LOCK = "lock"
SUFFIX = ".log"
DIGITS = 20  # of a sequence number in the name of a file
ANEW = "`choreoscope store repair` makes it anew"


class StoreError(SourceError):
    """The folder is no store, or cannot be used as one; the message says what would be right."""


class Unidentified(StoreError):
    """The folder was a store, and what says so is lost or damaged."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of one store."""

    folder: Path
    salt: bytes  # of the frames' checksums

    @property
    def log(self) -> Path:
        """Segments of raw requests, each named after its first sequence number."""
        return self.folder / LOG

    @property
    def parquet(self) -> Path:
        """Compacted segments."""
        return self.folder / PARQUET

    @property
    def quarantine(self) -> Path:
        """What could not be read: never deleted."""
        return self.folder / QUARANTINE

    @property
    def identity(self) -> Path:
        """Whose folder it is, and the salt."""
        return self.folder / IDENTITY

    @property
    def manifest(self) -> Path:
        """What is compacted: the readers' snapshot."""
        return self.folder / MANIFEST

    def segments(self) -> list[Path]:
        """The segments by sequence number."""
        return sorted(path for path in self.log.glob("*" + SUFFIX) if path.stem.isdigit())


def segment_name(first: int) -> str:
    """File name of the segment that begins with that sequence number."""
    return f"{first:0{DIGITS}d}{SUFFIX}"


def found(folder: Path) -> Layout:
    """The store in an existing folder. Raises StoreError."""
    identity = folder / IDENTITY
    try:
        told = json.loads(identity.read_bytes())
        version, salt = int(told["version"]), bytes.fromhex(told["salt"])
        if told.get("check", _check(salt)) != _check(salt):
            raise ValueError("its checksum is another one")
    except FileNotFoundError:
        if any(_filled(folder)):
            raise Unidentified(f"{folder} has lost its {IDENTITY}; {ANEW}") from None
        raise StoreError(f"{folder} is no store: it has no {IDENTITY}") from None
    except NotADirectoryError:
        raise StoreError(f"{folder} is no store: it is no folder") from None
    except PermissionError:
        raise StoreError(f"{identity}: permission denied") from None
    except OSError as error:
        raise StoreError(f"{identity} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unidentified(f"{identity} cannot be understood: {error}; {ANEW}") from error
    if version > VERSION:
        raise StoreError(
            f"{folder} was written by a newer choreoscope (store version {version}, "
            f"this one reads up to {VERSION}); update choreoscope"
        )
    return Layout(folder, salt)


def made(folder: Path, files: Files) -> Layout:
    """The store in a folder, made where there is none. Raises StoreError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = os.listdir(folder)
        if IDENTITY not in names and not any(_filled(folder)):
            foreign = sorted(set(names) - {LOCK, IDENTITY + ".tmp", LOG, PARQUET, QUARANTINE})
            if foreign:
                raise StoreError(
                    f"{folder} is no store and not empty (it holds {foreign[0]}); "
                    "name a new or an empty folder"
                )
            begin(folder, secrets.token_bytes(16), files)
        layout = found(folder)
        for part in (layout.log, layout.parquet, layout.quarantine):
            part.mkdir(mode=0o700, exist_ok=True)
        files.sync_folder(folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be a store: {error.strerror or error}") from error
    return layout


def begin(folder: Path, salt: bytes, files: Files) -> None:
    """Write down whose folder it is."""
    identity = {"version": VERSION, "salt": salt.hex(), "check": _check(salt)}
    files.publish(folder / IDENTITY, json.dumps(identity).encode())


def _check(salt: bytes) -> str:
    """One flipped bit of the salt, and every request in the log would seem damaged."""
    return f"{google_crc32c.value(salt.hex().encode()):08x}"


def _filled(folder: Path) -> Iterator[Path]:
    """Files whose names only a store has: there it began long ago."""
    for path in ((folder / LOG).glob("*" + SUFFIX), (folder / PARQUET).glob("*.parquet")):
        yield from (one for one in path if len(one.stem) == DIGITS and one.stem.isdigit())


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the store alone. Raises StoreError where another process has it."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{folder} cannot be locked: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        raise StoreError(
            f"{folder} is in use by process {owner or 'unknown'}; one process writes a store"
        ) from None
    finally:
        os.close(descriptor)
