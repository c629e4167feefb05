"""Finds what a user named: files, folders, globs, standard input, simulated systems."""

from __future__ import annotations

import difflib
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STDIN = "-"
SIMULATED = "sim:"


class SourceError(Exception):
    """A source cannot be read at all; the message says what was wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read, standard input, or a simulated system."""

    name: str
    path: Path | None  # None = standard input, or simulated
    size: int  # bytes; 0 where unknown
    chosen: bool  # named by the user, not found in a folder: it must be readable

    @property
    def simulated(self) -> bool:
        """Whether `name` is the URI of a scenario."""
        return self.path is None and self.name.startswith(SIMULATED)


def resolve(sources: Sequence[str | Path]) -> list[Source]:
    """The files of every source, each once, in order. Raises SourceError."""
    found: dict[str, Source] = {}
    for source in sources:
        for item in _resolve(os.fspath(source)):
            found.setdefault(_identity(item), item)
    return list(found.values())


def _identity(source: Source) -> str:
    return source.name if source.path is None else os.path.realpath(source.path)


def _resolve(name: str) -> Iterator[Source]:
    if name == STDIN:
        yield Source("<stdin>", None, 0, True)
        return
    if name.startswith(SIMULATED):
        yield _scenario(name)
        return
    if "\0" in name or not name:
        raise SourceError(f"{name!r} is no path; name a file, a folder, a glob or - for stdin")
    path = Path(name)
    if os.path.isdir(name):
        yield from _folder(path)
    elif os.path.lexists(name):
        yield _file(path, chosen=True)
    elif glob.has_magic(name):
        yield from _glob(name)
    else:
        raise SourceError(_missing(path))


def _scenario(uri: str) -> Source:
    from collectors.simulate.scenario import ScenarioError, parse  # as heavy as numpy

    try:
        parse(uri)
    except ScenarioError as error:
        raise SourceError(f"{uri}: {error}") from None
    return Source(uri, None, 0, True)


def _file(path: Path, *, chosen: bool) -> Source:
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"{path}: {_reason(error)}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(
            f"{path} is {_kind(status.st_mode)}, not a regular file; "
            "to read from a pipe, use - and redirect it to standard input"
        )
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: permission denied")
    return Source(str(path), path, status.st_size, chosen)


def _reason(error: OSError) -> str:
    if error.errno == 40 or "symbolic links" in str(error):
        return "a loop of symbolic links; name the file itself"
    if isinstance(error, FileNotFoundError):
        return "a symbolic link to nothing"
    return error.strerror or str(error)


def _kind(mode: int) -> str:
    names = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
        stat.S_IFSOCK: "a socket",
    }
    return names.get(stat.S_IFMT(mode), "something else")


def _folder(folder: Path) -> Iterator[Source]:
    """Regular files below, sorted by path; hidden ones are left out."""
    yield from sorted(_walk(folder, (os.path.realpath(folder),)), key=lambda item: item.name)


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Source]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        if entry.is_dir():
            real = os.path.realpath(path)
            if real in above:
                raise SourceError(f"{path} is a link back to {real}: a loop; remove the link")
            yield from _walk(path, (*above, real))
        else:
            yield _file(path, chosen=False)


def _glob(pattern: str) -> Iterator[Source]:
    names = sorted(glob.glob(pattern, recursive=True))
    if not names:
        raise SourceError(f"{pattern} matches no file")
    for name in names:
        if os.path.isdir(name):
            if "**" not in pattern:
                yield from _folder(Path(name))
        else:
            yield _file(Path(name), chosen=False)


def _missing(path: Path) -> str:
    """What is there instead: the nearest name in the deepest folder that exists."""
    parent, wanted = path.parent, path.name
    while not parent.is_dir() and parent != parent.parent:
        parent, wanted = parent.parent, parent.name
    try:
        names = sorted(os.listdir(parent))[:10_000]
    except OSError:
        names = []
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    if near:
        return f"{path} does not exist; did you mean {parent / near[0]}?"
    return f"{path} does not exist" + (f"; {parent} has no such name" if names else "")
