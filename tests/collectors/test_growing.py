"""Of what grows each span is given once: whatever is cut, rotated, truncated or written anew."""

from __future__ import annotations

import gzip
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import growing
from collectors.growing import Growing
from tests.support.spans import line

SECOND = 1_000_000_000


def span(number: int) -> bytes:
    """A line with one span of that number."""
    one = {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "name": "x",
        "kind": 2,
        "startTimeUnixNano": str(1_700_000_000 * SECOND),
        "endTimeUnixNano": str(1_700_000_001 * SECOND),
    }
    return line({"service.name": "s"}, [one])


def lines(*numbers: int) -> bytes:
    return b"".join(span(number) + b"\n" for number in numbers)


def seen(found: Growing) -> list[int]:
    """The numbers of the spans of one poll."""
    return [int(i) - 1 for part in found.poll().parts for i in part.spans["span_id"]]


def age(path: Path) -> None:
    """Nobody has written to it for a while."""
    os.utime(path, ns=(0, path.stat().st_mtime_ns - 10 * SECOND))


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 5 * len(lines(1))), max_size=8))
def test_cut_anywhere_each_span_comes_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("g") / "a.jsonl"
    whole, found, given_ = lines(*range(5)), Growing(path), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(whole)], strict=True):
        with path.open("ab") as file:
            file.write(whole[begin:end])
        given_ += seen(found)
    assert sorted(given_) == list(range(5))
    assert found.rejected == {}


def test_new_files_appear_and_old_ones_cost_nothing(tmp_path: Path) -> None:
    found = Growing(tmp_path)
    assert seen(found) == []
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.jsonl").write_bytes(lines(2))
    (tmp_path / "README.md").write_text("# no traces\n")
    assert sorted(seen(found)) == [1, 2]
    reads = found.reads
    assert seen(found) == []
    assert found.reads == reads
    assert found.rejected == {}


def test_a_renamed_file_goes_on_and_its_successor_begins(tmp_path: Path) -> None:
    """Rotation: what was written to the old one between two looks is not lost."""
    path, found = tmp_path / "a.jsonl", Growing(tmp_path)
    path.write_bytes(lines(1, 2))
    assert seen(found) == [1, 2]
    with path.open("ab") as file:
        file.write(lines(3))
    path.rename(tmp_path / "a.jsonl.1")
    path.write_bytes(lines(4))
    assert sorted(seen(found)) == [3, 4]
    assert seen(found) == []


@pytest.mark.parametrize("fewer", [True, False])
def test_a_truncated_file_begins_anew(tmp_path: Path, fewer: bool) -> None:
    """Also where it has grown beyond its old size before it is looked at again."""
    path, found = tmp_path / "a.jsonl", Growing(path := tmp_path / "a.jsonl")
    path.write_bytes(lines(1, 2))
    assert seen(found) == [1, 2]
    shutil.copy(path, tmp_path / "copy")
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(lines(3) if fewer else lines(3, 4, 5))
    assert seen(found) == ([3] if fewer else [3, 4, 5])


def test_a_file_that_goes_away_is_forgotten(tmp_path: Path) -> None:
    path, found = tmp_path / "a.jsonl", Growing(tmp_path)
    path.write_bytes(lines(1))
    assert seen(found) == [1]
    path.unlink()
    assert seen(found) == []
    path.write_bytes(lines(2))
    assert seen(found) == [2]
    assert found.done == found.total == len(lines(2))


def test_packed_and_large_documents_are_read_once_they_are_whole(tmp_path: Path) -> None:
    found = Growing(tmp_path)
    packed, half = tmp_path / "a.jsonl.gz", gzip.compress(lines(1, 2))
    packed.write_bytes(half[:40])
    document = tmp_path / "b.json"
    document.write_bytes(b"[\n" + span(3) + b",\n" + span(4) + b"\n]\n")
    assert seen(found) == []
    packed.write_bytes(half)
    assert seen(found) == []
    age(packed)
    age(document)
    assert sorted(seen(found)) == [1, 2, 3, 4]
    assert seen(found) == []
    assert found.rejected == {}


def test_the_last_line_may_lack_its_end(tmp_path: Path) -> None:
    """Once nobody writes any more; a half one waits and is no error."""
    path, found = tmp_path / "a.jsonl", Growing(tmp_path)
    path.write_bytes(lines(1) + span(2))
    assert seen(found) == [1]
    age(path)
    assert seen(found) == [2]
    other = tmp_path / "b.jsonl"
    other.write_bytes(lines(3) + span(4)[:-9])
    age(other)
    assert seen(found) == [3]
    assert seen(found) == []
    with other.open("ab") as file:
        file.write(span(4)[-9:] + b"\n")
    assert seen(found) == [4]
    assert found.rejected == {}


def test_a_bad_line_costs_itself_and_is_counted(tmp_path: Path) -> None:
    path, found = tmp_path / "a.jsonl", Growing(tmp_path)
    path.write_bytes(lines(1) + b'{"resourceSpans":[{\n' + lines(2))
    assert sorted(seen(found)) == [1, 2]
    assert found.rejected == Counter({"invalid-json": 1})


def test_much_is_taken_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece is bounded, and nothing is lost between two."""
    monkeypatch.setattr(growing, "AT_ONCE", 3 * len(lines(1)))
    for name, numbers in (("a", range(10)), ("b", range(10, 20))):
        (tmp_path / f"{name}.jsonl").write_bytes(lines(*numbers))
    found, given_, polls, more = Growing(tmp_path), [], 0, True
    while more:
        grown = found.poll()
        polls, more = polls + 1, grown.more
        sizes = sum(len(part.spans) for part in grown.parts)
        assert sizes <= 4
        given_ += [int(i) - 1 for part in grown.parts for i in part.spans["span_id"]]
    given_ += seen(found)
    assert sorted(given_) == list(range(20))
    assert polls > 4


def test_traces_come_back_from_the_files(tmp_path: Path) -> None:
    path, found = tmp_path / "a.jsonl", Growing(tmp_path)
    path.write_bytes(lines(*range(10)))
    seen(found)
    [part] = found.fetch({(0, 4), (0, 7)})
    assert sorted(part.spans["span_id"]) == [4, 7]
    path.unlink()
    assert found.fetch({(0, 4)}) == []
