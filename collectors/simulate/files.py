"""Writes a scenario to files that appear whole or not at all, and reads the truth back."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec
import zstandard

from collectors.simulate.otlp import Request, to_json, to_protobuf, varint
from collectors.simulate.run import Tally, chunks
from collectors.simulate.scenario import Scenario, ScenarioError
from collectors.simulate.truth import Header, Truth

FORMATS: Final = (
    "jsonl",
    "jsonl.gz",
    "jsonl.zst",
    "protobuf",
    "protobuf.gz",
    "protobuf.zst",
)
_SUFFIXES: Final = {".jsonl": "jsonl", ".json": "jsonl", ".pb": "protobuf", ".binpb": "protobuf"}

Progress = Callable[[int, int], None]  # instances done, instances in all


@dataclass(frozen=True, slots=True)
class Target:
    """Where the spans go, in which of `FORMATS`, and where the truth goes; None = nowhere."""

    spans: Path | IO[bytes]
    format: str
    truth: Path | None


def target(path: str | Path, format: str | None = None, truth: str | Path | None = None) -> Target:
    """Spans to `path`, in the format that its name says, and the truth beside it.

    `.jsonl` and `.json` are OTLP JSON lines, `.pb` and `.binpb` are OTLP protobuf requests each
    after its length as a varint; a further `.gz` or `.zst` compresses. ScenarioError for others.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".truth.jsonl")
    return Target(path, format or format_of(path.name), Path(truth) if truth else beside)


def format_of(name: str) -> str:
    """The format that a file's name says. ScenarioError where it says none."""
    packed = next((end for end in (".gz", ".zst") if name.endswith(end)), "")
    suffix = Path(name.removesuffix(packed)).suffix
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix] + packed
    near = get_close_matches(suffix, _SUFFIXES, 1, 0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ScenarioError(
        f"the name {name!r} says no format{hint} (valid: {', '.join(_SUFFIXES)}, "
        "with or without .gz or .zst)"
    )


def write(
    scenario: Scenario,
    where: str | Path | Target,
    *,
    progress: Progress | None = None,
) -> Header:
    """Write the spans and the truth; returns the truth's header.

    A file that was there is replaced once the new one is whole. What an interrupt or an error
    leaves behind is what was there before. OSError as the disk has it.
    """
    goal = where if isinstance(where, Target) else target(where)
    tally = Tally()
    with _appearing(goal.spans) as spans, _appearing(goal.truth) as told, _scratch() as body:
        packed = _Packed(spans, goal.format)
        for chunk in chunks(scenario):
            tally.add(chunk)
            packed.add(chunk.requests)
            if goal.truth:
                body.writelines(map(_record, chunk.truth))
            if progress is not None:
                progress(tally.played, scenario.instances)
        packed.finish()
        header = tally.header(scenario)
        told.write(_record(header))
        body.seek(0)
        shutil.copyfileobj(body, told)
    return header


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile()  # the header counts what comes after it


def _record(record: Header | Truth) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def read_truth(path: str | Path) -> tuple[Header, list[Truth]]:
    """What `write` wrote beside the spans in `path`."""
    path = Path(path)
    told = path if path.name.endswith(".truth.jsonl") else Path(f"{path}.truth.jsonl")
    with told.open("rb") as source:
        header = msgspec.json.decode(source.readline(), type=Header)
        return header, [msgspec.json.decode(line, type=Truth) for line in source]


@contextmanager
def _appearing(where: Path | IO[bytes] | None) -> Iterator[IO[bytes]]:
    """A file that gets its name when all is written; a pipe, a device and a stream as they are."""
    if where is None:
        with open(os.devnull, "wb") as nowhere:
            yield nowhere
    elif not isinstance(where, Path):
        yield where
        where.flush()
    elif where.exists() and not where.is_file():
        with where.open("wb") as special:
            yield special
    else:
        with _temporary(where) as file:
            yield file


@contextmanager
def _temporary(path: Path) -> Iterator[IO[bytes]]:
    path = Path(os.path.realpath(path))  # what a link points to is replaced, not the link
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Packed:
    """Encodes and compresses. Without `finish` the stream has no end, and readers see the damage.

    That is why these are no file objects: those write their end when they are collected.
    """

    def __init__(self, target: IO[bytes], name: str) -> None:
        self._target = target
        self._encode = _encoder(name)
        self._compressor: _Compressor = _Plain()
        if name.endswith(".gz"):  # a header without name and time: the same bytes every time
            self._compressor = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        elif name.endswith(".zst"):
            self._compressor = zstandard.ZstdCompressor().compressobj()

    def add(self, requests: Iterable[Request]) -> None:
        """Write them."""
        data = b"".join(map(self._encode, requests))
        self._target.write(self._compressor.compress(data))

    def finish(self) -> None:
        """Write what the compressor kept back, and the end."""
        self._target.write(self._compressor.flush())


def _encoder(name: str) -> Callable[[Request], bytes]:
    return _delimited if name.startswith("protobuf") else _line


def _line(request: Request) -> bytes:
    return to_json(request) + b"\n"


def _delimited(request: Request) -> bytes:
    message = to_protobuf(request)
    return varint(len(message)) + message
