"""Finds the files below a folder or that a glob matches; what is no readable file is told, not met.

No loop of links, no pipe and no device stops the search: each is an entry with an obstacle.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file that can be read, or what stands in its place."""

    path: Path
    size: int = 0  # bytes
    obstacle: str = ""  # why it is not read; "" = it can be
    lost: bool = False  # traces may be behind the obstacle


def examined(path: Path) -> Entry:
    """What `path` is; links are followed."""
    try:
        status = path.stat()
    except OSError as error:
        return _unreachable(path, error)
    if not stat.S_ISREG(status.st_mode):
        return Entry(path, obstacle=KINDS.get(stat.S_IFMT(status.st_mode), "no regular file"))
    if not os.access(path, os.R_OK):
        return Entry(path, obstacle="permission denied", lost=True)
    return Entry(path, status.st_size)


def _unreachable(path: Path, error: OSError) -> Entry:
    if error.errno == errno.ELOOP:
        return Entry(path, obstacle="a loop of symbolic links")
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return Entry(path, obstacle="a symbolic link to nothing")
    return Entry(path, obstacle=(error.strerror or "unreachable").lower(), lost=True)


def below(folder: Path) -> list[Entry]:
    """The files below, by path; hidden ones are left out, each folder is entered once."""
    return sorted(_walk(folder), key=lambda entry: str(entry.path))


def _walk(folder: Path) -> Iterator[Entry]:
    top = os.path.realpath(folder)
    seen = {top}
    outer = (top, *map(str, Path(top).parents))
    pending: list[tuple[Path, tuple[str, ...]]] = [(folder, outer)]
    while pending:
        place, above = pending.pop()
        try:
            names = sorted(name for name in os.listdir(place) if not name.startswith("."))
        except OSError as error:
            yield Entry(place, obstacle=(error.strerror or "unreadable").lower(), lost=True)
            continue
        inner: list[tuple[Path, tuple[str, ...]]] = []
        for path in (place / name for name in names):
            if not _is_folder(path):
                yield examined(path)
                continue
            real = os.path.realpath(path)
            if real in above:
                yield Entry(path, obstacle="a link to a folder that it lies in")
            elif real not in seen:
                seen.add(real)
                inner.append((path, (*above, real)))
        pending += reversed(inner)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def matching(pattern: str) -> list[Entry]:
    """The files that a glob matches, and those below the folders that it matches, by path."""
    if "**" in pattern:
        return _matching_below(pattern)
    found: dict[str, Entry] = {}
    for name in sorted(glob.glob(pattern)):
        path = Path(name)
        for entry in below(path) if path.is_dir() else [examined(path)]:
            found.setdefault(str(entry.path), entry)
    return list(found.values())


def _matching_below(pattern: str) -> list[Entry]:
    """`**` stands for any number of folders. `glob` would follow links round and round."""
    parts = Path(pattern).parts
    plain = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:plain]) if plain else Path()
    if not base.is_dir():
        return []
    entries = below(base)
    return [e for e in entries if fits(e.path.relative_to(base).parts, parts[plain:])]


def fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path's parts match a glob's; `**` matches any number of them, none too."""
    ends = {0}  # how many parts the pattern so far can have used up
    for number, piece in enumerate(pattern, 1):
        if piece == "**":
            least = 1 if number == len(pattern) else 0  # at the end it stands for a file too
            ends = set(range(min(ends) + least, len(parts) + 1)) if ends else ends
        else:
            ends = {end + 1 for end in ends if end < len(parts) and fnmatchcase(parts[end], piece)}
    return len(parts) in ends
