"""Protobuf that is cut, damaged or void: whole spans are kept, the rest is told with its byte."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collectors import recording_from
from collectors.decoders import otlp_messages, otlp_protobuf
from collectors.envelope import SMALL, VOID, is_dense, read_field, walked
from collectors.framing import Framing, detect_framing
from collectors.ledger import Ledger, Where
from collectors.raw import Builder
from tests.collectors.test_protobuf import fixed, message, reading, varint
from tests.collectors.traces import REQUESTS, assert_same

__all__ = ["reading"]  # the fixture

QUICK = settings(deadline=None, max_examples=60)
EARLY = 16  # bytes: what is shorter cannot be told from anything else


def request(groups: int, scopes: int, spans: int, first: int = 1) -> bytes:
    """A request of that shape, its spans numbered on."""
    found, number = TracesData(), first
    for _ in range(groups):
        group = found.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = "billing"
        for _ in range(scopes):
            scope = group.scope_spans.add()
            scope.scope.name = "scope"
            for _ in range(spans):
                ids = {"trace_id": bytes(15) + b"\x01", "span_id": number.to_bytes(8)}
                scope.spans.add(**ids, name="a name", start_time_unix_nano=number)
                number += 1
    return found.SerializeToString()


def ends(data: bytes, at: int, level: int) -> Iterator[int]:
    """Where the spans of a request end."""
    end = len(data)
    while at < end:
        found = read_field(data, at)
        assert found is not None
        if level == 2 and found.tag == 0x12:
            yield found.end
        elif level < 2 and found.tag in (0x0A, 0x12) and (level, found.tag) != (1, 0x0A):
            inner = data[: found.end]
            yield from ends(inner, found.begin, level + 1)
        at = found.end


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))


@QUICK
@given(SHAPES, st.floats(0, 1))
def test_a_bare_request_cut_anywhere_keeps_its_whole_spans(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int, int], share: float
) -> None:
    data = request(*shape)
    cut = round(EARLY + (len(data) - EARLY) * share)
    found = read_bytes(tmp_path_factory, data[:cut])
    whole = sum(end <= cut for end in ends(data, 0, 0))
    assert found.spans["span_id"].to_list() == list(range(1, whole + 1))
    if cut not in groups_end(data):
        assert dict(found.intake.rejected) == {"torn-message": 1}
        assert f"cut short at byte {cut}," in found.intake.problems[0].detail


def groups_end(data: bytes) -> set[int]:
    """Where one ResourceSpans ends and the next may begin: a cut there cannot be seen."""
    at, found = 0, set[int]()
    while at < len(data):
        group = read_field(data, at)
        assert group is not None
        at = group.end
        found.add(at)
    return found


def read_bytes(factory: pytest.TempPathFactory, data: bytes) -> Any:
    from collectors import read

    path = factory.mktemp("cut") / "x.pb"
    path.write_bytes(data)
    return read([path])


@QUICK
@given(st.lists(SHAPES, min_size=1, max_size=3), st.floats(0, 1), st.booleans())
def test_a_stream_cut_anywhere_keeps_its_whole_spans(
    tmp_path_factory: pytest.TempPathFactory,
    shapes: list[tuple[int, int, int]],
    share: float,
    four: bool,
) -> None:
    bodies, first = [], 1
    for shape in shapes:
        bodies.append(request(*shape, first=first))
        first += shape[0] * shape[1] * shape[2]
    data = fixed(*bodies) if four else varint(*bodies)
    cut = round(EARLY + (len(data) - EARLY) * share)
    found = read_bytes(tmp_path_factory, data[:cut])
    whole, at = 0, 0
    frames = {0}
    for body in bodies:
        at += 4 if four else len(_VarintBytes(len(body)))
        whole += sum(at + end <= cut for end in ends(body, 0, 0))
        at += len(body)
        frames.add(at)
    assert found.spans["span_id"].to_list() == list(range(1, whole + 1))
    if cut not in frames:
        assert dict(found.intake.rejected) == {"torn-message": 1}
        assert f"cut short at byte {cut}," in found.intake.problems[0].detail


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF, 0x08000001])
def test_a_length_without_sense_is_told_with_its_byte(reading: Any, size: int) -> None:
    good, bad = fixed(request(1, 1, 2)), size.to_bytes(4) + request(1, 1, 1, first=9)
    found = reading(good + bad)
    assert found.spans["span_id"].to_list() == [1, 2]
    assert dict(found.intake.rejected) == {"torn-message": 1}
    assert f"at byte {len(good)}: a message cannot have {size} bytes" in str(found.intake.problems)
    assert sum(reading(bad).intake.rejected.values()) == 1  # four bytes of 0xff begin Arrow


def test_a_length_beyond_the_end_keeps_what_is_there(reading: Any) -> None:
    body = request(1, 1, 3)
    found = reading((len(body) + 10_000).to_bytes(4) + body)
    assert found.spans["span_id"].to_list() == [1, 2, 3]
    assert dict(found.intake.rejected) == {"torn-message": 1}


@QUICK
@given(st.integers(0, 2**32))
def test_damage_inside_costs_only_what_it_touches(seed: int) -> None:
    """A group that breaks somewhere leaves the groups beside it whole."""
    noise = random.Random(seed)
    parts = [request(1, 1, 2, first=n) for n in (1, 3, 5)]
    begin = len(parts[0])
    broken = bytearray(parts[1])
    for _ in range(noise.randrange(1, 5)):
        broken[noise.randrange(3, len(broken))] = noise.randrange(256)
    ledger = Ledger()
    data = parts[0] + bytes(broken) + parts[2]
    batches = list(otlp_protobuf.decode([data], ledger, "x"))
    kept = {n for batch in batches for n in batch.spans["span_id"].to_list()}
    assert {1, 2, 5, 6} <= kept
    if not ledger.rejected:  # then it is a message still, though perhaps another
        with suppress(DecodeError):  # the reference does not forgive text that is no UTF-8
            groups = TracesData.FromString(bytes(broken)).resource_spans
            left = sum(len(scope.spans) for group in groups for scope in group.scope_spans)
            assert sum(len(batch.spans) for batch in batches) == 4 + left
    assert walked(data[:begin]).data == data[:begin]


@settings(deadline=None, max_examples=100)
@given(REQUESTS)
def test_a_whole_request_is_walked_unchanged(found: TracesData) -> None:
    data = found.SerializeToString()
    kept = walked(data)
    assert not kept.breaks
    assert TracesData.FromString(kept.data) == TracesData.FromString(data)


@settings(deadline=None, max_examples=200)
@given(REQUESTS, st.integers(0, 2**32))
def test_walking_damaged_bytes_gives_a_request_that_parses(found: TracesData, seed: int) -> None:
    noise = random.Random(seed)
    data = bytearray(found.SerializeToString())
    for _ in range(noise.randrange(4) if data else 0):
        data[noise.randrange(len(data))] = noise.randrange(256)
    kept = walked(bytes(data[: noise.randrange(len(data) + 1)]))
    assert walked(kept.data).data == kept.data
    assert not walked(kept.data).breaks


def spoilt(data: TracesData, noise: random.Random) -> None:
    """Makes some ids unusable."""
    for group in data.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                for name, sizes in (
                    ("trace_id", (0, 8, 16)),
                    ("span_id", (0, 8, 9)),
                    ("parent_span_id", (0, 7, 8, 20)),
                ):
                    if noise.random() < 0.2:
                        filler = noise.choice((b"\0", b"\x07"))
                        setattr(span, name, filler * noise.choice(sizes))
                for link in span.links:
                    if noise.random() < 0.3:
                        link.trace_id = b"\x07" * noise.choice((0, 3))
                    elif noise.random() < 0.3:
                        link.span_id = b"\0" * noise.choice((0, 8, 9))


@settings(deadline=None, max_examples=100)
@given(st.lists(REQUESTS, min_size=1, max_size=3), st.integers(0, 2**32))
def test_bad_ids_cost_the_same_in_columns_and_one_by_one(
    requests: list[TracesData], seed: int
) -> None:
    noise, builder = random.Random(seed), Builder()
    careful, columnar = Ledger(), Ledger()
    payloads = []
    for number, each in enumerate(requests, 1):
        spoilt(each, noise)
        payloads.append(each.SerializeToString())
        otlp_messages.decode(payloads[-1], builder, careful, Where("x", number))
    batches = list(otlp_protobuf.decode(payloads, columnar, "x"))
    assert_same(recording_from(batches or [Builder().batch()]), recording_from([builder.batch()]))
    assert columnar.intake(()) == careful.intake(())


@pytest.mark.parametrize("size", [0, 1, 3, 6])
def test_void_spans_are_counted_in_one_entry(reading: Any, size: int) -> None:
    void = (b"\x12" + bytes([size]) + (b"\x30\x01" * 9)[:size]) * 50_000
    scope = message(1).resource_spans[0].scope_spans[0].SerializeToString() + void
    scope += message(2).resource_spans[0].scope_spans[0].SerializeToString()
    group = b"\x12" + _VarintBytes(len(scope)) + scope
    data = b"\x0a" + _VarintBytes(len(group)) + group
    assert is_dense(data)
    found = reading(data)
    assert found.spans["span_id"].to_list() == [1, 2]
    assert dict(found.intake.rejected) == {"bad-trace-id": 50_000}
    (problem,) = found.intake.problems
    assert str(VOID) in problem.detail
    assert "50,000 times" in problem.detail


def test_empty_parts_of_a_span_are_left_out_and_told(reading: Any) -> None:
    body = message(7).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    body += b"\x5a\x00" * SMALL + b"\x6a\x00" * SMALL
    scope = b"\x12" + _VarintBytes(len(body)) + body
    group = b"\x12" + _VarintBytes(len(scope)) + scope
    found = reading(b"\x0a" + _VarintBytes(len(group)) + group)
    assert found.spans["span_id"].to_list() == [7]
    assert len(found.events) == len(found.links) == 0
    assert "empty attributes, events and links were left out" in found.intake.warnings


def test_real_requests_are_not_dense() -> None:
    from benchmarks.decode import request as real

    data = real(1).SerializeToString()
    assert len(data) > SMALL
    assert not is_dense(data)


@pytest.mark.parametrize("framing", [Framing.FIXED, Framing.VARINT, Framing.NONE])
@settings(deadline=None, max_examples=60)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=3))
def test_the_framing_of_any_requests_is_told(framing: Framing, requests: list[TracesData]) -> None:
    bodies = [each.SerializeToString() for each in requests]
    if not any(len(body) > EARLY for body in bodies):
        return
    data = {
        Framing.FIXED: lambda: fixed(*bodies),
        Framing.VARINT: lambda: varint(*bodies),
        Framing.NONE: lambda: b"".join(bodies),
    }[framing]()
    assert detect_framing(data, complete=True) is framing
