"""JSON that was put together: appended, separated by other marks, cut and begun again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collectors import Recording, read
from tests.collectors.test_json_lines import SPAN, request, span


def trace(number: int, *spans: int) -> bytes:
    """A request with a trace of its own."""
    data = request(*(span(n) for n in spans or (1,)))
    return data.replace(str(SPAN["traceId"]).encode(), b"%032x" % number)


def pretty(data: bytes, indent: int = 2) -> bytes:
    return json.dumps(json.loads(data), indent=indent).encode()


@pytest.fixture
def reading(tmp_path: Path) -> Any:
    def read_bytes(data: bytes) -> Recording:
        (tmp_path / "x").write_bytes(data)
        return read([tmp_path / "x"])

    return read_bytes


A, B, C = trace(1), trace(2), trace(3)
JAEGER = b'{"data":[{"traceID":"9","spans":[{"traceID":"9","spanID":"1"}]}],"errors":null}'
JOINED = {
    "on end": A + B + C,
    "with blanks": A + b"  \t" + B + b" " + C,
    "with commas": A + b",\n" + B + b",\n" + C + b",\n",
    "with carriage returns": A + b"\r" + B + b"\r" + C,
    "as a JSON text sequence": b"\x1e" + A + b"\n\x1e" + B + b"\n\x1e" + C + b"\n",
    "on end and on lines": A + B + b"\n" + C,
    "pretty on end": pretty(A) + pretty(B) + pretty(C),
    "pretty on lines": pretty(A) + b"\n" + pretty(B) + b"\n\n" + pretty(C),
    "pretty and plain": pretty(A) + b"\n" + B + b"\n" + C,
    "formats on end": A + B + JAEGER,
    "pretty formats on end": pretty(A) + pretty(B) + pretty(JAEGER),
    "with leading rubbish": b"\0\0\xef\xbb\xbf\n" + pretty(A) + b"\0\0" + pretty(B) + pretty(C),
}


@pytest.mark.parametrize("data", JOINED.values(), ids=JOINED)
def test_all_of_it_is_read(reading: Any, data: bytes) -> None:
    found = reading(data)
    assert (found.intake.spans, found.intake.damaged) == (3, False)


def test_a_break_in_the_middle_of_a_line_costs_what_follows_on_it(reading: Any) -> None:
    found = reading(A + B[:-30] + b"\n" + C)
    assert (found.intake.spans, dict(found.intake.rejected)) == (2, {"invalid-json": 1})
    assert found.intake.problems[0].line == 1


@pytest.mark.parametrize("indent", [0, 1, 2, 8])
@pytest.mark.parametrize("document", [A, JAEGER, b'{"batches":%b}' % A[17:-1]])
def test_a_document_that_breaks_off_does_not_hide_the_next(
    reading: Any, indent: int, document: bytes
) -> None:
    """A writer that was killed and started again appends to what it left."""
    whole = pretty(document, indent)
    data = whole[: len(whole) * 2 // 3] + b"\n" + pretty(B, indent) + b"\n" + pretty(C, indent)
    found = reading(data)
    assert found.intake.spans == 2
    assert dict(found.intake.rejected) == {"invalid-json": 1}


def test_many_documents_cost_no_more_each() -> None:
    """Nothing is copied or counted from the beginning for each of them."""
    import time

    from collectors.decoders.json_documents import pieces, values
    from collectors.ledger import Ledger, Where

    document = pretty(A)
    for reader in (values, lambda text: list(pieces(text, Ledger(), Where("x")))):
        began = time.process_time()
        assert len(list(reader(document * 30_000))) == 30_000
        assert time.process_time() - began < 10


def test_python_writes_what_is_no_json(reading: Any) -> None:
    odd = pretty(A).replace(b'"charge"', b'"\\ud800"')
    found = reading(odd + b"\n" + pretty(B))
    assert (found.intake.spans, found.intake.damaged) == (2, False)


def test_what_a_log_driver_puts_in_front_is_told(reading: Any) -> None:
    found = reading(b"2024-05-31T12:00:00Z stdout F " + A + b"\n" + B)
    assert found.intake.spans == 1
    assert found.intake.problems[0].detail == (
        'text stands before the JSON: "2024-05-31T12:00:00Z stdout F"'
    )
