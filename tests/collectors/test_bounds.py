"""Input made to exhaust: memory stays small, the rest is told."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]

LIMIT = 160  # MB of resident memory beside what the libraries take: the longest line is 128
IDS = b"\x0a\x10" + bytes(15) + b"\x01\x12\x08" + bytes(7) + b"\x01"
PROGRAM = """
import json, pathlib, sys
from collectors import read
found = read([sys.argv[1]])
status = pathlib.Path("/proc/self/status").read_text()  # ru_maxrss counts the parent too
print(json.dumps({
    "peak": int(status.split("VmHWM:")[1].split()[0]) / 1024,
    "spans": found.intake.spans,
    "told": len(found.intake.problems) + len(found.intake.warnings),
    "rejected": dict(found.intake.rejected),
    "quality": found.spans["quality"].to_list(),
}))
"""


def field(tag: int, body: bytes) -> bytes:
    size: bytes = _VarintBytes(len(body))
    return bytes([tag]) + size + body


def request(scope: bytes) -> bytes:
    return field(0x0A, field(0x12, scope))


def attribute(number: int) -> bytes:
    return field(0x4A, field(0x0A, b"k%d" % number) + field(0x12, field(0x0A, b"v")))


def lines_of(unit: bytes) -> bytes:
    return gzip.compress(unit * ((400 << 20) // len(unit)), 1)


def long_text() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    pieces = [packer.compress(b'{"resourceSpans":"')]
    pieces += [packer.compress(b"a" * (1 << 20)) for _ in range(400)]
    return b"".join([*pieces, packer.flush()])


def json_attributes() -> bytes:
    pairs = ",".join(f'{{"key":"k{n}","value":{{"stringValue":"v"}}}}' for n in range(200_000))
    ids = f'"traceId":"{1:032x}","spanId":"{1:016x}","startTimeUnixNano":"1"'
    spans = f'{{{ids},"attributes":[{pairs}]}}'
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}\n'.encode()


CASES = {
    "blank lines": lambda: lines_of(b"\n"),
    "zeros": lambda: lines_of(b"\0"),
    "one text": long_text,
    "void spans": lambda: request(b"\x12\x00" * 5_000_000),
    "spans without ids": lambda: request(b"\x12\x06\x0a\x04abcd" * 1_250_000),
    "empty scopes": lambda: field(0x0A, b"\x12\x00" * 5_000_000),
    "empty events": lambda: request(field(0x12, IDS + b"\x5a\x00" * 5_000_000)),
    "empty links": lambda: request(field(0x12, IDS + b"\x6a\x00" * 5_000_000)),
    "empty attributes": lambda: request(field(0x12, IDS + b"\x4a\x00" * 5_000_000)),
    "attributes": lambda: request(field(0x12, IDS + b"".join(map(attribute, range(500_000))))),
    "attributes in JSON": json_attributes,
}


def measured(path: Path) -> dict[str, Any]:
    """What reading it took, in a process of its own."""
    program = [sys.executable, "-c", PROGRAM, str(path)]
    found: dict[str, Any] = json.loads(subprocess.check_output(program, text=True))
    return found


@pytest.fixture(scope="module")
def least(tmp_path_factory: pytest.TempPathFactory) -> float:
    """MB that reading one span takes; the libraries' own threads differ from machine to machine."""
    path = tmp_path_factory.mktemp("least") / "x"
    path.write_bytes(request(field(0x12, IDS)))
    return float(measured(path)["peak"])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("case", CASES)
def test_memory_stays_small_and_the_rest_is_told(tmp_path: Path, least: float, case: str) -> None:
    (tmp_path / "x").write_bytes(CASES[case]())
    found = measured(tmp_path / "x")
    assert found["peak"] - least < LIMIT
    if found["spans"]:
        assert found["told"] or found["quality"] != [0]
    elif case not in ("blank lines", "zeros", "empty scopes"):  # nothing was lost there
        assert found["rejected"]
