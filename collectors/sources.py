"""Finds what a user named: files, folders, globs, standard input, stores, simulated systems."""

from __future__ import annotations

import difflib
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from collectors.folders import KINDS, Entry, below, examined, matching
from collectors.source import SIMULATED, STORE, Source, SourceError

STDIN = "-"


def resolve(sources: Sequence[str | Path]) -> list[Source]:
    """The files of every source, each once, in order. Raises SourceError."""
    found: dict[str, Source] = {}
    for source in sources:
        for item in _resolve(os.fspath(source)):
            found.setdefault(_identity(item), item)
    return list(found.values())


def _identity(source: Source) -> str:
    """The file itself; of what cannot be read its name."""
    if source.path is None or source.obstacle:
        return source.name
    return os.path.realpath(source.path)


def _resolve(name: str) -> Iterator[Source]:
    if name == STDIN:
        yield Source("<stdin>", None, 0, True)
        return
    if name.startswith(SIMULATED):
        yield _scenario(name)
        return
    if name.startswith(STORE):
        yield _stored(name)
        return
    if "\0" in name or not name:
        raise SourceError(f"{name!r} is no path; name a file, a folder, a glob or - for stdin")
    path = Path(name)
    if os.path.isdir(name):
        yield from map(_found, below(path))
    elif os.path.lexists(name):
        yield _chosen(path)
    elif glob.has_magic(name):
        yield from _glob(name)
    else:
        raise SourceError(_missing(path))


def _stored(uri: str) -> Source:
    """A store, also while another process writes it."""
    from collectors.store.snapshot import snapshot

    return Source(uri, None, snapshot(Path(uri.removeprefix(STORE))).size, True)


def _scenario(uri: str) -> Source:
    from collectors.simulate.scenario import ScenarioError, parse  # as heavy as numpy

    try:
        parse(uri)
    except ScenarioError as error:
        raise SourceError(f"{uri}: {error}") from None
    return Source(uri, None, 0, True)


def _chosen(path: Path) -> Source:
    """A file that the user named; a FIFO too, for `<(command)` is one. Raises SourceError."""
    entry = examined(path)
    if entry.obstacle in ("", FIFO):
        return Source(str(path), path, entry.size, True)
    if entry.obstacle in KINDS.values():
        advice = "name a file, a folder or a FIFO, or - for standard input"
        raise SourceError(f"{path} is {entry.obstacle}; {advice}")
    raise SourceError(f"{path}: {entry.obstacle}")


FIFO = KINDS[stat.S_IFIFO]


def _found(entry: Entry) -> Source:
    """A file that nobody named."""
    path = entry.path
    return Source(str(path), path, entry.size, False, entry.obstacle, entry.lost)


def _glob(pattern: str) -> Iterator[Source]:
    found = matching(pattern)
    if not found:
        raise SourceError(f"{pattern} matches no file{_beside(pattern)}")
    yield from map(_found, found)


def _beside(pattern: str) -> str:
    """Why: the folder that is not there, or some names that are."""
    parts = Path(pattern).parts
    plain = [part for part in parts[:-1] if not glob.has_magic(part)]
    folder = Path(*plain) if plain else Path()
    if len(plain) < len(parts) - 1:
        return ""
    if not folder.is_dir():
        return f"; {_missing(folder)}"
    names = [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"; {folder} holds {shown}" if names else f"; {folder} is empty"


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
