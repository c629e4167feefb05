"""Checks: what a request is said to hold is what the decoder finds; hostile ones cost little."""

from __future__ import annotations

import contextlib
import json
import random
import time
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hostile import odd_bodies
from collectors.assemble import assemble
from collectors.ledger import Ledger
from collectors.receivers import checks
from collectors.receivers.checks import Checked, check
from collectors.receivers.refusals import Refused
from collectors.store.decoding import Decoder
from collectors.store.frames import Kind, Request
from tests.receivers.test_fuzz import flipped
from tests.receivers.test_http import as_protobuf, span

MAYBE_ID = st.sampled_from(
    [
        *("1" * 32, "A" * 32, "1" * 16, "0" * 32, "0" * 16, "", None, "x" * 32, "é" * 16),
        *(" 1" * 16, "0x" + "1" * 30, "+1" + "1" * 14, "1" * 33, "1_1" + "1" * 13, "1" * 31),
    ]
)


def outcome(body: bytes) -> Checked | str:
    try:
        return check(Kind.OTLP_PROTOBUF, body)
    except Refused as refused:
        return str(refused)


@given(
    names=st.lists(st.text(max_size=20_000), max_size=6),
    seed=st.none() | st.integers(0, 2**32),
    cut=st.integers(0, 40),
)
def test_a_large_request_is_judged_as_a_small_one(
    names: list[str], seed: int | None, cut: int
) -> None:
    """Where spans stand is found by two ways; what one takes the other takes, damaged or not."""
    body = as_protobuf(*names) + as_protobuf(*names[:2], ids=b"")
    if seed is not None and body:
        body = flipped(body, random.Random(seed))
    body = body[: len(body) - cut] if cut % 3 == 0 else body
    small = outcome(body)
    with patch.object(checks, "LARGE", 0):
        large = outcome(body)
    if isinstance(small, Checked) and isinstance(large, str):
        assert "no field has the type" in large  # groups, which OTLP never had
    elif isinstance(small, Checked):
        assert small == large


@given(ids=st.lists(st.tuples(MAYBE_ID, MAYBE_ID), min_size=1, max_size=5))
@pytest.mark.parametrize("kind", [Kind.OTLP_JSON, Kind.ZIPKIN_JSON])
def test_what_is_said_to_be_taken_is_what_is_decoded(
    kind: Kind, ids: list[tuple[str | None, str | None]]
) -> None:
    """Ids of all kinds: the account of a request is the decoder's."""
    body = _request(kind, ids)
    found = check(kind, body)
    ledger = Ledger()
    decoder = Decoder(ledger, "test")
    parts = list(decoder.add([Request.packed(kind, body)])) + list(decoder.finish())
    assert (found.spans, found.rejected) == (
        len(assemble(parts, ledger.intake(())).spans) + _same(ids, kind),
        sum(ledger.rejected.values()),
    )
    assert bool(found.reason) == bool(found.rejected)


def _request(kind: Kind, ids: list[tuple[str | None, str | None]]) -> bytes:
    second = "spanId" if kind is Kind.OTLP_JSON else "id"
    spans: list[dict[str, Any]] = [
        span(f"s{n}") | {"traceId": trace, second: one} for n, (trace, one) in enumerate(ids)
    ]
    if kind is Kind.ZIPKIN_JSON:
        spans = [one | {"timestamp": n + 1} for n, one in enumerate(spans)]
        return json.dumps(spans).encode()
    return _otlp(spans)


def _otlp(spans: list[dict[str, Any]]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def _same(ids: list[tuple[str | None, str | None]], kind: Kind) -> int:
    """How many were one span with another, which are told apart later."""
    short = kind is Kind.ZIPKIN_JSON
    good = [
        (trace.lower().zfill(32), one.lower().zfill(16))
        for trace, one in ids
        if trace and one and checks._is_hex(trace, 32, short) and checks._is_hex(one, 16, short)
    ]
    return len(good) - len(set(good))


def test_bad_spans_are_told_by_their_place() -> None:
    """Of the first one: where it stands and what is wrong."""
    groups = [{"scopeSpans": [{"spans": [span("a")]}, {"spans": [span("b"), {"spanId": "1"}]}]}]
    found = check(Kind.OTLP_JSON, json.dumps({"resourceSpans": groups}).encode())
    assert (found.spans, found.rejected) == (2, 1)
    assert found.reason.startswith("bad-trace-id: resourceSpans[0].scopeSpans[1].spans[1].traceId")


def test_names_of_protobuf_are_taken_as_well() -> None:
    """The JSON of protobuf allows both spellings."""
    one = {"trace_id": "1" * 32, "span_id": "1" * 16, "name": "a"}
    body = {"resource_spans": [{"scope_spans": [{"spans": [one]}]}]}
    assert check(Kind.OTLP_JSON, json.dumps(body).encode()) == Checked(1)


def test_mostly_bad_spans_are_no_request() -> None:
    """10,001 bad ones beside one that is good cost the request; as many good ones save it."""
    bad = [{"traceId": "no"}] * 10_001
    good = [span("a", n) for n in range(1, 10_002)]
    with pytest.raises(Refused, match="10,001 of its spans"):
        check(Kind.OTLP_JSON, _otlp([*bad, good[0]]))
    assert check(Kind.OTLP_JSON, _otlp([*bad, *good])).rejected == 10_001


ODD = odd_bodies(8 << 20)


@pytest.mark.parametrize("name", [name for name in ODD if "string" not in name])
def test_nothing_costs_out_of_proportion(name: str) -> None:
    """A million of whatever is checked or refused in less CPU than a second for ten megabytes."""
    headers, body = ODD[name]
    kind = Kind.OTLP_JSON if "json" in headers["Content-Type"] else Kind.OTLP_PROTOBUF
    begin = time.process_time()
    with contextlib.suppress(Refused):
        check(kind, body)
    assert time.process_time() - begin < 1.0 + len(body) / (10 << 20)
