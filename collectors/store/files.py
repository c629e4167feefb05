"""The few calls on the operating system that durability rests on, to be replaced in tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

AT_ONCE = 1024  # buffers: IOV_MAX


class Files:
    """Files as the operating system has them. Every call may raise OSError."""

    def create(self, path: Path) -> int:
        """A new file to append to, readable by its owner only; its name is on disk."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self.sync_folder(path.parent)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def append(self, descriptor: int, buffers: Sequence[bytes]) -> None:
        """Write all buffers at the file's end."""
        for first in range(0, len(buffers), AT_ONCE):
            part = buffers[first : first + AT_ONCE]
            written, wanted = os.writev(descriptor, part), sum(map(len, part))
            if written < wanted:  # a full disk writes what fits, then says so
                self._rest(descriptor, b"".join(part)[written:])

    def _rest(self, descriptor: int, data: bytes) -> None:
        while data:
            data = data[os.write(descriptor, data) :]

    def sync(self, descriptor: int) -> None:
        """Have the file's bytes on disk."""
        os.fdatasync(descriptor)

    def cut(self, descriptor: int, size: int) -> None:
        """Take back what was written beyond `size`."""
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)

    def close(self, descriptor: int) -> None:
        """Close the file."""
        os.close(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Have the folder's names on disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_path(self, path: Path) -> None:
        """Have a file's bytes on disk that others wrote."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in its place, or in another's, at once."""
        os.replace(source, target)
        self.sync_folder(target.parent)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        os.unlink(path)

    def publish(self, target: Path, data: bytes) -> None:
        """Write a small file whole or not at all."""
        draft = target.with_name(target.name + ".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._rest(descriptor, data)
            self.sync(descriptor)
        finally:
            self.close(descriptor)
        self.rename(draft, target)
