"""OTLP protobuf in every framing, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collectors import read
from collectors.schema import Quality
from tests.collectors.traces import assert_same

SERVICE = "billing"


def message(*numbers: int, **fields: Any) -> TracesData:
    request = TracesData()
    group = request.resource_spans.add()
    pair = group.resource.attributes.add()
    pair.key, pair.value.string_value = "service.name", SERVICE
    scope = group.scope_spans.add()
    for number in numbers:
        values = {
            "trace_id": bytes(15) + b"\x01",
            "span_id": number.to_bytes(8),
            "start_time_unix_nano": number,
            "end_time_unix_nano": number + 5,
            "name": "x",
        }
        scope.spans.add(**(values | fields))
    return request


def fixed(*payloads: bytes) -> bytes:
    return b"".join(len(payload).to_bytes(4) + payload for payload in payloads)


def varint(*payloads: bytes) -> bytes:
    return b"".join(_VarintBytes(len(payload)) + payload for payload in payloads)


@pytest.fixture
def reading(tmp_path: Path) -> Any:
    def read_bytes(data: bytes) -> Any:
        (tmp_path / "x.bin").write_bytes(data)
        return read([tmp_path / "x.bin"])

    return read_bytes


@pytest.mark.parametrize("count", [1, 5, 3000])
def test_every_framing_gives_the_same(reading: Any, count: int) -> None:
    one = message(*range(1, count + 1)).SerializeToString()
    expected = reading(one)
    assert expected.intake.spans == count
    for framing in (fixed, varint):
        assert_same(reading(framing(one)), expected)
        assert_same(reading(framing(one, one)), expected)


def test_a_torn_stream_keeps_the_whole_messages(reading: Any) -> None:
    found = reading(fixed(*(message(n).SerializeToString() for n in (1, 2, 3)))[:-4])
    assert found.spans["span_id"].to_list() == [1, 2]
    assert dict(found.intake.rejected) == {"torn-message": 1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": bytes(16)}, "bad-trace-id"),
        ({"trace_id": b"short"}, "bad-trace-id"),
        ({"span_id": bytes(8)}, "bad-span-id"),
        ({"span_id": b"123456789"}, "bad-span-id"),
        ({"parent_span_id": b"12"}, "bad-parent-id"),
    ],
)
def test_a_bad_id_costs_its_span_only(reading: Any, fields: Any, reason: str) -> None:
    request = message(1)
    request.MergeFrom(message(2, **fields))
    found = reading(fixed(message(3).SerializeToString(), request.SerializeToString()))
    assert found.spans["span_id"].to_list() == [1, 3]
    assert dict(found.intake.rejected) == {reason: 1}
    assert found.intake.problems[0].line == 2


@pytest.mark.parametrize("place", [b"name", b"value", b"key_", SERVICE.encode()])
def test_invalid_utf8_costs_no_span(reading: Any, place: bytes) -> None:
    """One bad string must not lose the other spans of its request."""
    request = message(1, name="name")
    pair = request.resource_spans[0].scope_spans[0].spans[0].attributes.add()
    pair.key, pair.value.string_value = "key_", "value"
    request.resource_spans[0].scope_spans[0].spans.extend(
        message(2).resource_spans[0].scope_spans[0].spans
    )
    bad = request.SerializeToString().replace(place, place[:-1] + b"\xff")
    found = reading(fixed(bad, message(3).SerializeToString()))
    assert found.spans["span_id"].to_list() == [1, 2, 3]
    if place != SERVICE.encode():
        assert found.spans["quality"].to_list() == [Quality.INVALID_UTF8, 0, 0]


def test_a_broken_span_costs_itself(reading: Any) -> None:
    request = message(1, name="AAAAAAAA")
    request.MergeFrom(message(2))
    broken = request.SerializeToString().replace(b"\x2a\x08AAAAAAAA", b"\x2a\x7fAAAAAAAA")
    found = reading(fixed(broken, message(3).SerializeToString()))
    assert found.spans["span_id"].to_list() == [2, 3]
    assert sum(found.intake.rejected.values()) == 1


def test_time_beyond_int64_is_clamped(reading: Any) -> None:
    found = reading(fixed(message(1, end_time_unix_nano=2**64 - 1).SerializeToString()))
    assert found.spans["end_ns"][0] == 2**63 - 1
    assert found.spans["quality"][0] == Quality.CLAMPED_TIME


def test_any_value_nested_30000_deep_is_refused(reading: Any) -> None:
    inner = b"\x0a\x01x"
    for _ in range(30_000):
        wrapped = b"\x0a" + _VarintBytes(len(inner)) + inner
        inner = b"\x2a" + _VarintBytes(len(wrapped)) + wrapped
    pair = b"\x0a\x01k\x12" + _VarintBytes(len(inner)) + inner
    body = message(1).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    body += b"\x4a" + _VarintBytes(len(pair)) + pair
    scope = b"\x12" + _VarintBytes(len(body)) + body
    group = b"\x12" + _VarintBytes(len(scope)) + scope
    payload = b"\x0a" + _VarintBytes(len(group)) + group
    found = reading(fixed(payload, message(2).SerializeToString()))
    assert found.spans["span_id"].to_list() == [2]
    assert sum(found.intake.rejected.values()) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_truncated_single_request_never_raises(reading: Any, size: int) -> None:
    payload = message(1, 2, 3).SerializeToString()
    found = reading(payload[: max(len(payload) - size, 1)])
    assert found.intake.spans <= 3


def test_empty_messages(reading: Any) -> None:
    assert reading(fixed(b"", message(1).SerializeToString(), b"")).intake.spans == 1
