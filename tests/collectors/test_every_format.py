"""Each way in which a value can be bad, in each JSON format: the span costs itself, no more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest

from collectors import Recording, read
from collectors.schema import Quality
from tests.collectors.test_json_lines import request, span

TRACE = "0102030405060708090a0b0c0d0e0f10"


class Otlp:
    """Requests on lines; `field` translates a neutral name."""

    fields: ClassVar = {
        "trace": "traceId", "id": "spanId", "parent": "parentSpanId", "name": "name",
        "start": "startTimeUnixNano", "end": "endTimeUnixNano",
    }  # fmt: skip
    unit = 1

    @staticmethod
    def span(number: int) -> dict[str, Any]:
        return span(number)

    @staticmethod
    def tag(item: dict[str, Any], key: str, value: str) -> None:
        item.setdefault("attributes", []).append({"key": key, "value": {"stringValue": value}})

    @staticmethod
    def file(items: list[dict[str, Any]]) -> bytes:
        return json.dumps(json.loads(request(*items)), ensure_ascii=False).encode()


class Pretty(Otlp):
    @staticmethod
    def file(items: list[dict[str, Any]]) -> bytes:
        return json.dumps(json.loads(request(*items)), indent=2, ensure_ascii=False).encode()


class Tempo(Otlp):
    @staticmethod
    def file(items: list[dict[str, Any]]) -> bytes:
        groups = json.loads(request(*items))["resourceSpans"]
        return json.dumps({"batches": groups}, ensure_ascii=False).encode()


class Jaeger:
    fields: ClassVar = {
        "trace": "traceID", "id": "spanID", "parent": "parentSpanID", "name": "operationName",
        "start": "startTime", "end": "duration",
    }  # fmt: skip
    unit = 1000

    @staticmethod
    def span(number: int) -> dict[str, Any]:
        base = {"traceID": TRACE, "operationName": "op", "startTime": 1, "duration": 1}
        return {**base, "spanID": f"{number:x}"}

    @staticmethod
    def tag(item: dict[str, Any], key: str, value: str) -> None:
        item.setdefault("tags", []).append({"key": key, "type": "string", "value": value})

    @staticmethod
    def file(items: list[dict[str, Any]]) -> bytes:
        document = {"data": [{"traceID": TRACE, "spans": items}]}
        return json.dumps(document, ensure_ascii=False).encode()


class Zipkin:
    fields: ClassVar = {
        "trace": "traceId", "id": "id", "parent": "parentId", "name": "name",
        "start": "timestamp", "end": "duration",
    }  # fmt: skip
    unit = 1000

    @staticmethod
    def span(number: int) -> dict[str, Any]:
        return {"traceId": TRACE, "id": f"{number:x}", "name": "op", "timestamp": 1, "duration": 1}

    @staticmethod
    def tag(item: dict[str, Any], key: str, value: str) -> None:
        item.setdefault("tags", {})[key] = value

    @staticmethod
    def file(items: list[dict[str, Any]]) -> bytes:
        return json.dumps(items, ensure_ascii=False).encode()


Shape = type[Otlp] | type[Jaeger] | type[Zipkin]
FORMATS: list[Shape] = [Otlp, Pretty, Tempo, Jaeger, Zipkin]
every_format = pytest.mark.parametrize("shape", FORMATS, ids=[f.__name__ for f in FORMATS])
Read = Callable[[bytes], Recording]


@pytest.fixture
def reading(tmp_path: Path) -> Read:
    def read_bytes(data: bytes) -> Recording:
        (tmp_path / "x").write_bytes(data)
        return read([tmp_path / "x"])

    return read_bytes


def with_bad(shape: Shape, name: str, value: Any) -> bytes:
    bad = {**shape.span(2), shape.fields[name]: value}
    return shape.file([shape.span(1), bad, shape.span(3)])


VALUES: dict[str, list[Any]] = {
    "trace": ["0" * 32, "xyz", "", None, 7, "0x12", "1" * 33, "é" * 32],
    "id": ["0" * 16, "not hex", "", None, 7, [], "1" * 17, "1 2"],
    "parent": ["not hex", 7, {}, "1" * 17],
    "start": ["soon", -5, 1.5, True, {}, 2**64, "99999999999999999999"],
    "end": ["soon", -5, 1.5, False, []],
    "name": [7, True, {}, []],
}
BAD = [(name, value) for name, values in VALUES.items() for value in values]


@every_format
@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_costs_its_span(reading: Read, shape: Shape, name: str, value: Any) -> None:
    found = reading(with_bad(shape, name, value))
    assert found.spans["span_id"].to_list() == [1, 3]
    assert sum(found.intake.rejected.values()) == 1
    (problem,) = found.intake.problems
    assert problem.line is not None
    assert f"{shape.fields[name]}: " in problem.detail


@every_format
def test_unknown_members_are_ignored(reading: Read, shape: Shape) -> None:
    odd = {**shape.span(1), "tomorrow": {"a": [1]}, "x": None}
    assert reading(shape.file([odd])).intake.spans == 1


@every_format
@pytest.mark.parametrize("name", ["parent", "name", "start", "end"])
def test_null_is_absent(reading: Read, shape: Shape, name: str) -> None:
    found = reading(with_bad(shape, name, None))
    assert (found.intake.spans, found.intake.damaged) == (3, False)


@every_format
def test_ids_in_either_case(reading: Read, shape: Shape) -> None:
    found = reading(with_bad(shape, "id", "ABCDEF0123456789"))
    assert 0xABCDEF0123456789 in found.spans["span_id"].to_list()


@every_format
def test_numbers_as_text(reading: Read, shape: Shape) -> None:
    found = reading(with_bad(shape, "start", "123456"))
    assert 123456 * shape.unit in found.spans["start_ns"].to_list()


@every_format
def test_times_beyond_int64_are_clamped(reading: Read, shape: Shape) -> None:
    found = reading(with_bad(shape, "start", 2**63 + 1000))
    row = found.spans.filter(found.spans["span_id"] == 2).row(0, named=True)
    largest = (2**63 - 1) // shape.unit * shape.unit
    assert (row["start_ns"], row["end_ns"] >= row["start_ns"]) == (largest, True)


@every_format
def test_an_empty_name_gets_a_placeholder(reading: Read, shape: Shape) -> None:
    row = reading(with_bad(shape, "name", "")).spans.row(1, named=True)
    assert (row["name"], Quality(row["quality"]) & Quality.EMPTY_NAME) == (
        "<unnamed>",
        Quality.EMPTY_NAME,
    )


@every_format
def test_its_own_parent(reading: Read, shape: Shape) -> None:
    found = reading(with_bad(shape, "parent", shape.span(2)[shape.fields["id"]]))
    row = found.spans.filter(found.spans["span_id"] == 2).row(0, named=True)
    assert (row["parent_id"], Quality(row["quality"])) == (0, Quality.SELF_PARENT)


@every_format
def test_invalid_utf8_is_replaced_and_flagged(reading: Read, shape: Shape) -> None:
    data = with_bad(shape, "name", "caf\u00e9")
    found = reading(data.replace("caf\u00e9".encode(), b"caf\xe9"))
    assert found.intake.spans == 3
    names = dict(found.spans.select("name", "quality").iter_rows())
    assert Quality(names["caf\ufffd"]) & Quality.INVALID_UTF8


@every_format
@pytest.mark.parametrize("text", ["a\0b", "\x1b[2J", "x" * 5000, "\u202e", "日本", "\ud800"])
def test_odd_names_are_kept(reading: Read, shape: Shape, text: str) -> None:
    bad = {**shape.span(2), shape.fields["name"]: "MARK"}
    data = shape.file([shape.span(1), bad]).replace(b'"MARK"', json.dumps(text).encode())
    found = reading(data)
    assert (found.intake.spans, found.intake.damaged) == (2, False)
    assert max(map(len, found.spans["name"].cast(pl.String()).to_list())) <= 1024


@every_format
def test_a_long_value_is_cut_and_flagged(reading: Read, shape: Shape) -> None:
    item = shape.span(1)
    shape.tag(item, "long", "y" * 200_000)
    found = reading(shape.file([item, shape.span(2)]))
    assert found.attributes["value"].str.len_bytes().max() == 32_768
    flags = [Quality(number) & Quality.TRUNCATED for number in found.spans["quality"]]
    assert flags == [Quality.TRUNCATED, 0]


@every_format
def test_many_tags_are_capped_and_flagged(reading: Read, shape: Shape) -> None:
    item = shape.span(1)
    for number in range(20_000):
        shape.tag(item, f"k{number}", "v")
    found = reading(shape.file([item]))
    assert len(found.attributes) <= 1024
    assert Quality(found.spans["quality"][0]) & Quality.TRUNCATED


@every_format
def test_copies_count_once_and_conflicts_have_one_winner(reading: Read, shape: Shape) -> None:
    first, other = shape.span(1), {**shape.span(1), shape.fields["name"]: "other"}
    winners = set()
    for items in ([first, first, other], [other, first, first]):
        found = reading(shape.file(items))
        winners.add(tuple(found.spans["name"].cast(pl.String())))
        assert (found.intake.spans, found.intake.duplicates, found.intake.conflicts) == (1, 1, 1)
    assert len(winners) == 1


DEEP = [
    b"[" * 200_000,
    b'{"a":' * 100_000,
    b'{"resourceSpans":' * 50_000,
    b'[{"traceId":"ab","id":"1","tags":' + b"[" * 100_000,
    b'{"data":[{"spans":[{"spanID":"1","tags":' + b"[" * 100_000,
    b'{"batches":[{"resource":' + b'{"a":' * 100_000,
]


@pytest.mark.parametrize("data", DEEP)
@pytest.mark.parametrize("pretty", [False, True])
def test_nesting_is_refused_fast(reading: Read, data: bytes, pretty: bool) -> None:
    if pretty:
        data = data[:1] + b"\n" + data[1:]
    began = time.process_time()
    found = reading(data)
    assert time.process_time() - began < 5
    assert (found.intake.spans, found.intake.damaged) == (0, True)


def test_an_attribute_30_000_deep(reading: Read) -> None:
    open_, close = b'{"arrayValue":{"values":[' * 30_000, b"]}}" * 30_000
    item = {**span(2), "attributes": [{"key": "deep", "value": "MARK"}]}
    data = request(span(1), item, span(3)).replace(b'"MARK"', open_ + close)
    found = reading(data + b"\n" + request(span(4)))
    assert 4 in found.spans["span_id"].to_list()
    assert found.intake.damaged


def test_100_000_links_on_one_span(reading: Read) -> None:
    links = [{"traceId": TRACE, "spanId": f"{number:016x}"} for number in range(1, 100_001)]
    found = reading(request(span(1, links=links), span(2)))
    assert (found.intake.spans, len(found.links)) == (2, 100_000)
