"""Disks that fail as disks do: they forget what was not synced, fill up, or refuse to sync."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from collectors.store.files import Files


class ForgetfulDisk(Files):
    """Keeps the image that a power cut would leave: bytes and names that were synced, no others."""

    def __init__(self, shadow: Path, *, syncs: bool = True) -> None:
        self._shadow = shadow  # a hard link to every file, so that removed ones can be copied
        self._syncs = syncs
        self._bytes: dict[int, int] = {}  # by inode: bytes on disk
        self._names: dict[Path, dict[str, int]] = {}  # by folder: names on disk
        shadow.mkdir()

    def sync(self, descriptor: int) -> None:
        if self._syncs:
            found = os.fstat(descriptor)
            self._bytes[found.st_ino] = found.st_size

    def cut(self, descriptor: int, size: int) -> None:
        super().cut(descriptor, size)
        inode = os.fstat(descriptor).st_ino
        self._bytes[inode] = min(self._bytes.get(inode, 0), size)

    def sync_path(self, path: Path) -> None:
        if self._syncs:
            found = path.stat()
            self._bytes[found.st_ino] = found.st_size

    def sync_folder(self, folder: Path) -> None:
        names = {}
        for entry in os.scandir(folder):
            names[entry.name] = entry.inode()
            link = self._shadow / str(entry.inode())
            if entry.is_file() and not link.exists():
                os.link(entry.path, link)
        self._names[folder] = names

    def image(self, folder: Path, target: Path) -> None:
        """Make in `target` what a power cut at this moment would leave of `folder`."""
        target.mkdir()
        for name, inode in self._names.get(folder, {}).items():
            if (folder / name).is_dir():
                self.image(folder / name, target / name)
                continue
            data = (self._shadow / str(inode)).read_bytes()
            (target / name).write_bytes(data[: self._bytes.get(inode, 0)])


class FullDisk(Files):
    """Writes `room` bytes and no more, half a buffer included, as a full disk does."""

    def __init__(self, room: int) -> None:
        self.room = room

    def append(self, descriptor: int, buffers: Sequence[bytes]) -> None:
        data = b"".join(buffers)
        super().append(descriptor, [data[: self.room]])
        fits = len(data) <= self.room
        self.room = max(0, self.room - len(data))
        if not fits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class BrokenDisk(Files):
    """Fails to sync while `broken`."""

    def __init__(self) -> None:
        self.broken = False
        self.failed: list[int] = []  # descriptors whose sync failed
        self.again: list[int] = []  # ... and that were synced once more while open

    def sync(self, descriptor: int) -> None:
        if descriptor in self.failed:
            self.again.append(descriptor)
        if self.broken:
            self.failed.append(descriptor)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(descriptor)

    def close(self, descriptor: int) -> None:
        if descriptor in self.failed:
            self.failed.remove(descriptor)
        super().close(descriptor)
