"""Small requests to store, each with spans that tell its number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from collectors.assemble import assemble
from collectors.ledger import Ledger
from collectors.recording import Recording
from collectors.store.frames import Kind, Request
from collectors.store.snapshot import read_parts
from tests.support.spans import line


def request(number: int, spans: int = 1) -> Request:
    """A request of `spans` spans whose names begin with `number`."""
    found = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{(number << 16) + index + 1:016x}",
            "name": f"{number}",
            "kind": 4,
            "startTimeUnixNano": str(10**18 + number),
            "endTimeUnixNano": str(10**18 + number + 1),
        }
        for index in range(spans)
    ]
    return Request.packed(Kind.OTLP_JSON, line({"service.name": "shop"}, found))


def stored(folder: Path) -> Recording:
    """Everything in a store, as one recording."""
    ledger = Ledger()
    parts = read_parts(folder, ledger)
    return assemble(parts, ledger.intake((str(folder),)))


def numbers(folder: Path) -> set[int]:
    """The numbers of the requests that a store holds."""
    return {int(name) for name in stored(folder).spans["name"].cast(str).to_list()}


def segments(folder: Path) -> Iterator[Path]:
    """The log's segments."""
    yield from sorted((folder / "log").iterdir())
