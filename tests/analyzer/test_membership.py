"""Every span at a boundary belongs to an instance, whatever the links and parents are."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analyzer.context import Context
from analyzer.pipeline import build_context
from analyzer.stitching.roles import Role, plain_receive
from tests.support.spans import KINDS, Tape, hex_id

Shape = list[tuple[int, str, str, int, int, list[int]]]
OPERATIONS = ("", "send", "receive", "process", "create", "settle")

# (service, kind, operation, trace, parent, links): parent and links are numbers of spans.
SPANS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(sorted(KINDS)),
        st.sampled_from(OPERATIONS),
        st.integers(0, 3),
        st.integers(-1, 7),
        st.lists(st.integers(0, 7), max_size=3),
    ),
    min_size=1,
    max_size=8,
)


def stitched(shape: Shape) -> Context:
    """Spans that name any span, themselves too, as parent or link."""
    tape = Tape()
    for number, (service, kind, operation, trace, parent, _) in enumerate(shape):
        given_: dict[str, object] = {}
        if operation:
            given_ = {
                "messaging.system": "kafka",
                "messaging.operation.type": operation,
                "messaging.destination.name": "orders",
            }
        known = 0 <= parent < len(shape)
        tape.span(
            f"s{service}",
            f"{kind} {operation}",
            number,
            kind=kind,
            trace=f"t{shape[parent][3] if known else trace}",
            parent=hex_id(f"span {parent}", 16) if known else None,
            attributes=given_,
        )
    for number, (*_, links) in enumerate(shape):
        body = tape.spans[number]["span"]
        body["links"] = [_link(tape.spans[one]["span"]) for one in links if one < len(shape)]
    return build_context(tape.recording(), None, (), None)[0]


def _link(span: dict[str, Any]) -> dict[str, str]:
    return {"traceId": span["traceId"], "spanId": span["spanId"]}


def members(context: Context) -> set[int]:
    """Rows of every component that has a step in some instance."""
    component = context.stitching.component
    return set(np.flatnonzero(np.isin(component, component[context.table.row])).tolist())


def serving(context: Context) -> set[int]:
    """Rows that only hand on to spans of an instance: what was cut from them, what they took."""
    there = members(context)
    stitching, index = context.stitching, context.index
    cut = np.flatnonzero((index.parent >= 0) & (stitching.parent < 0)).tolist()
    hands = {int(index.parent[row]) for row in cut if row in there}
    pairs = zip(stitching.messages.source, stitching.messages.target, strict=True)
    return hands | {int(target) for source, target in pairs if int(source) in there}


SEND = ("producer", "send")
CIRCLE: Shape = [(0, *SEND, 0, -1, [1]), (1, *SEND, 1, -1, [0])]
RING: Shape = [(n, *SEND, n, -1, [(n + 1) % 3, (n + 2) % 3]) for n in range(3)]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(SPANS)
@example(CIRCLE)
@example(RING)
def test_every_span_at_a_boundary_is_in_an_instance(shape: Shape) -> None:
    """A span with a part to play is in an instance, or is a mere carrier of spans that are."""
    context = stitched(shape)
    boundary = (context.role != Role.INSIDE) & ~plain_receive(context.spans, context.role)
    carriers = np.flatnonzero(context.stitching.carrier).tolist()
    exempt = serving(context) & set(carriers)
    assert set(np.flatnonzero(boundary).tolist()) <= members(context) | exempt


def test_sends_that_link_to_each_other_are_steps() -> None:
    for shape in (CIRCLE, RING):
        context = stitched(shape)
        assert set(context.table.row.tolist()) == set(range(len(shape)))


def test_a_batch_send_is_still_no_step_beside_its_messages() -> None:
    """One send that links the two messages it created: the messages are the steps."""
    shape: Shape = [
        (0, "producer", "create", 0, -1, []),
        (0, "producer", "create", 1, -1, []),
        (0, "producer", "send", 2, -1, [0, 1]),
    ]
    context = stitched(shape)
    assert sorted(context.spans["name"][context.table.row].cast(str)) == ["producer create"] * 2
