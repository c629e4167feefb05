"""Every way into the columns gives the same columns."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collectors import recording_from
from collectors.decoders import otlp_columns, otlp_json, otlp_messages, otlp_objects
from collectors.ledger import Ledger, Where
from collectors.raw import MAX_ATTRIBUTES, Builder, merge
from collectors.recording import Recording
from collectors.schema import Quality
from tests.collectors.traces import REQUESTS, as_json, assert_same, line

HERE = Where("here")
SLOW = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def by_upb(requests: list[TracesData]) -> Recording:
    builder, ledger = Builder(), Ledger()
    for request in requests:
        otlp_messages.decode(request.SerializeToString(), builder, ledger, HERE)
    assert not ledger.rejected
    return recording_from([builder.batch()])


def by_objects(requests: list[TracesData]) -> Recording:
    builder, ledger = Builder(), Ledger()
    for request in requests:
        otlp_objects.decode(json.loads(json.dumps(as_json(request))), builder, ledger, HERE)
    assert not ledger.rejected
    return recording_from([builder.batch()])


@SLOW
@given(st.lists(REQUESTS, min_size=1, max_size=3))
def test_four_decoders_agree(requests: list[TracesData]) -> None:
    """ptars, upb, msgspec and plain objects give the same recording of the same requests."""
    expected = by_upb(requests)
    payloads = [request.SerializeToString() for request in requests]
    assert_same(recording_from([otlp_columns.decode(payloads).batch]), expected)
    assert_same(recording_from([otlp_json.decode([line(r) for r in requests])]), expected)
    assert_same(by_objects(requests), expected)


@pytest.mark.parametrize("distinct", [3000, 1100, 40])
def test_a_crowd_of_attributes_is_cut_at_the_same_place(distinct: int) -> None:
    """The first ones count, as an SDK's limit does; the span is flagged."""
    request = TracesData()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\1")
    )
    for number in range(3000):
        span.attributes.add(key=f"k{number % distinct}").value.string_value = f"v{number}"
    expected = by_upb([request])
    assert len(expected.attributes) == min(distinct, MAX_ATTRIBUTES)
    assert expected.spans["quality"][0] & Quality.TRUNCATED
    payload = request.SerializeToString()
    assert_same(recording_from([otlp_columns.decode([payload]).batch]), expected)
    assert_same(recording_from([otlp_json.decode([line(request)])]), expected)
    spaced = json.dumps(as_json(request)).encode()  # not as encoders write it
    assert_same(recording_from([otlp_json.decode([spaced])]), expected)
    assert_same(by_objects([request]), expected)


@SLOW
@given(st.lists(REQUESTS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_order_and_grouping_do_not_matter(
    requests: list[TracesData], shuffle: random.Random
) -> None:
    """Any order of requests and spans, in one batch or in many, gives the same recording."""
    expected = recording_from([otlp_json.decode([line(r) for r in requests])])
    shuffled = list(requests)
    shuffle.shuffle(shuffled)
    for request in shuffled:
        for group in request.resource_spans:
            for scope in group.scope_spans:
                spans = list(scope.spans)
                shuffle.shuffle(spans)
                del scope.spans[:]
                scope.spans.extend(spans)
    batches = [otlp_json.decode([line(r)]) for r in shuffled]
    assert_same(recording_from(batches), expected)
    assert_same(recording_from([merge(batches)]), expected)


@SLOW
@given(st.lists(REQUESTS, min_size=1, max_size=2))
def test_a_copy_changes_nothing_but_the_count(requests: list[TracesData]) -> None:
    """Everything twice gives the same recording, and every span counts once as a duplicate."""
    lines = [line(r) for r in requests]
    once = recording_from([otlp_json.decode(lines)])
    twice = recording_from([otlp_json.decode(lines), otlp_json.decode(lines[::-1])])
    assert_same(twice, once)
    offered = sum(len(otlp_json.decode([text]).spans) for text in lines)
    counted = once.intake
    assert counted.spans + counted.duplicates + counted.conflicts == offered
    assert twice.intake.spans + twice.intake.duplicates + twice.intake.conflicts == 2 * offered
