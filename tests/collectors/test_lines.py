"""Text is cut into whole lines: blanks cost nothing, a line that is too long costs itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import SourceError, read
from collectors.lines import MAX_LINE_NAME, SHORT_BLOCK, LineTooLong, blocks, is_blank
from collectors.streams import Stream
from collectors.unpack import Readable
from tests.collectors.test_json_lines import request, span

PARTS = st.sampled_from(
    [b"\n", b"\n" * 300, b"\r\n" * 200, b" \t\n", b"\0" * 400, b"a", b"bc", b" "]
)


def lines(data: bytes, size: int) -> list[tuple[int, bytes]]:
    """(number, line) of every line with anything in it."""
    found = []
    for block in blocks(Stream(cast(Readable, io.BytesIO(data))), size):
        for number, line in enumerate(block.data.split(b"\n"), block.line):
            if line.strip(b"\0 \t\r"):
                found.append((number, line.strip(b"\0 \t\r")))
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(PARTS, max_size=60), st.sampled_from([7, 64, 1 << 20]), st.sampled_from([1, 700]))
def test_every_line_keeps_its_number(parts: list[bytes], size: int, times: int) -> None:
    data = b"".join(parts) * times
    expected = [
        (number, line.strip(b"\0 \t\r"))
        for number, line in enumerate(data.split(b"\n"), 1)
        if line.strip(b"\0 \t\r")
    ]
    assert lines(data, size) == expected


def test_short_lines_come_in_small_blocks() -> None:
    """A line costs an object: a block of four million of them would cost a gigabyte."""
    data = b"{}\n" * 2_000_000
    found = list(blocks(Stream(cast(Readable, io.BytesIO(data)))))
    assert max(len(block.data) for block in found) <= SHORT_BLOCK + 3
    assert b"".join(block.data for block in found) == data


def test_a_blank_stream_gives_no_block() -> None:
    for unit in (b"\n", b"\0", b"\r\n", b" \n"):
        assert not list(blocks(Stream(cast(Readable, io.BytesIO(unit * 5_000_000)))))
    assert not is_blank(b"\n\x01\n")


def test_a_line_that_is_too_long_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MAX_LINE_NAME, "6M")
    long = request(span(2, name="x" * 20_000_000))
    good = [request(span(n)) for n in (1, 3, 4)]
    rows = [good[0], long, good[1], long, long[:-5], good[2]]
    (tmp_path / "x").write_bytes(b"\n".join(rows))
    found = read([tmp_path / "x"])
    assert found.spans["span_id"].to_list() == [1, 3, 4]
    assert dict(found.intake.rejected) == {"line-too-long": 1}
    (problem,) = found.intake.problems
    assert problem.line == 2
    assert "longer than 6 MiB" in problem.detail
    assert "2 lines below" in problem.detail


def test_the_limit_is_inclusive_and_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_LINE_NAME, "8K")
    assert lines(b"a" * 8192, 64) == [(1, b"a" * 8192)]
    with pytest.raises(LineTooLong):
        lines(b"a" * 8193, 64)
    monkeypatch.setenv(MAX_LINE_NAME, "much")
    with pytest.raises(SourceError, match="512M"):
        lines(b"a", 64)
