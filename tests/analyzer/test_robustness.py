"""Hostile and degenerate recordings: the analysis ends, in bounded time, and is still true."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analyzer import analyze
from analyzer.analysis import EDGES, INSTANCES, SERVICE_EDGES, SERVICES, STEPS, Analysis
from analyzer.reporters import json, text
from analyzer.reporters.context import Context
from analyzer.stitching import labels
from analyzer.stitching.labels import OTHER
from collectors import read, schema
from collectors.recording import Recording, empty_recording
from collectors.schema import Quality
from tests.support.spans import T0_NS, Ref, Tape, kinds

BIGGEST = 2**63 - 1


def spans(count: int, **columns: object) -> pl.DataFrame:
    """Spans of one trace, one microsecond after another; `columns` replaces."""
    start = T0_NS + np.arange(count, dtype=np.int64) * 1000
    base: dict[str, object] = {
        "trace_hi": np.ones(count, np.uint64),
        "trace_lo": np.ones(count, np.uint64),
        "span_id": np.arange(1, count + 1, dtype=np.uint64),
        "parent_id": np.zeros(count, np.uint64),
        "start_ns": start,
        "end_ns": start + 500,
        "name": ["op"] * count,
        "kind": [1] * count,
        "status": [0] * count,
        "quality": [0] * count,
        "service": ["svc"] * count,
        "dropped_links": [0] * count,
    }
    return schema.complete(pl.DataFrame({**base, **columns}), schema.SPANS)


def recording(frame: pl.DataFrame, links: pl.DataFrame | None = None) -> Recording:
    blank = empty_recording()
    return Recording(
        frame,
        blank.links if links is None else schema.complete(links, schema.LINKS),
        blank.events,
        blank.attributes,
        blank.link_attributes,
    )


def ping_pong(count: int) -> dict[str, object]:
    """Columns of a chain of sends and receipts between two services."""
    half = (count + 1) // 2
    return {
        "parent_id": np.arange(count, dtype=np.uint64),
        "service": (["a", "b"] * half)[:count],
        "kind": ([4, 5] * half)[:count],
        "operation": (["send", "process"] * half)[:count],
        "destination": ["q"] * count,
    }


def whole(source: Recording | Path, as_of_ns: int | None = None) -> Analysis:
    """Analyse, check the declared shapes, and write both reports."""
    found = analyze(source, as_of_ns=as_of_ns)
    for name, shape in (
        ("instances", INSTANCES),
        ("steps", STEPS),
        ("edges", EDGES),
        ("services", SERVICES),
        ("service_edges", SERVICE_EDGES),
    ):
        schema.check(getattr(found, name), shape, name)
    for row in range(min(3, len(found.instances))):
        if found.instances["steps"][row] < 1000:
            found.instance(found.instances["id"][row]).graph()
    assert msgspec.json.decode(json.render(found, Context()))["schema_version"] == "1"
    assert text.render(found, Context())
    return found


# --- little ------------------------------------------------------------------------------------


def test_nothing() -> None:
    found = whole(empty_recording())
    assert found.instances.is_empty()
    assert found.findings == ()


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("operation", [None, "send", "create", "receive", "process", "settle"])
def test_one_span_of_any_kind(kind: int, operation: str | None) -> None:
    found = whole(
        recording(spans(1, kind=[kind], operation=[operation], destination=["q"], status=[2]))
    )
    assert len(found.instances) <= 1
    assert not {"stuck", "late", "missing-step"} & kinds(found)


def test_an_instance_for_every_lonely_span() -> None:
    found = whole(recording(spans(20, trace_lo=np.arange(20, dtype=np.uint64))))
    assert len(found.instances) == 20


# --- circles, chains, crowds -------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_a_circle_of_parents_is_told_and_broken(count: int) -> None:
    found = whole(recording(spans(count, parent_id=np.roll(np.arange(1, count + 1), 1))))
    assert len(found.instances) == 1
    assert [note.message for note in found.data_notes if "circle" in note.message] == [
        "1 circle of parents, each broken at one span"
    ]


def test_a_span_that_is_its_own_parent_is_a_root() -> None:
    tape = Tape()
    first = tape.serve("shop", "POST /orders", 0)
    tape.spans[0]["span"]["parentSpanId"] = first.span
    found = whole(tape.recording())
    assert found.recording.spans["quality"][0] & Quality.SELF_PARENT
    assert found.by_state == {"complete": 1}


@pytest.mark.parametrize("errors", [False, True])
def test_a_chain_of_1e5_spans(errors: bool) -> None:
    count = 100_000
    began = time.monotonic()
    found = whole(recording(spans(count, **ping_pong(count), status=[2 * errors] * count)))
    assert time.monotonic() - began < 60  # linear takes about 1 s; quadratic would take hours
    assert len(found.instances) == 1
    assert found.instances["steps"][0] == count


def test_a_chain_whose_children_came_first() -> None:
    count = 100_000
    parent = np.append(np.arange(2, count + 1), 0)
    assert len(whole(recording(spans(count, parent_id=parent))).instances) == 1


def test_2e5_spans_below_one_parent() -> None:
    count = 200_000
    parent = np.append(0, np.ones(count - 1))
    columns = {"service": ["a", "b"] * (count // 2), "kind": [2] * count}
    began = time.monotonic()
    found = whole(recording(spans(count, parent_id=parent, **columns)))
    assert time.monotonic() - began < 60
    assert found.instances["spans"].to_list() == [count]


def test_2e5_failed_attempts_at_one_message() -> None:
    count = 200_000
    parent = np.append(0, np.ones(count - 1))
    columns = {
        "service": ["a"] + ["b"] * (count - 1),
        "kind": [4] + [5] * (count - 1),
        "operation": ["send"] + ["process"] * (count - 1),
        "destination": ["q"] * count,
        "status": [0] + [2] * (count - 1),
    }
    began = time.monotonic()
    found = whole(recording(spans(count, parent_id=parent, **columns)))
    assert time.monotonic() - began < 60
    assert {"failed", "retry-storm"} <= kinds(found)


def test_children_without_number_that_lack_their_next_step() -> None:
    """20,000 items below one parent, half of which go on: no join of all pairs."""
    count = 20_000
    items = np.arange(2, count + 2, dtype=np.uint64)
    onward = items[::2]
    total = 1 + count + len(onward)
    parent = np.concatenate([[0], np.ones(count), onward]).astype(np.uint64)
    service = ["root"] + ["item"] * count + ["next"] * len(onward)
    began = time.monotonic()
    whole(recording(spans(total, parent_id=parent, service=service, kind=[2] * total)))
    assert time.monotonic() - began < 60


def test_one_instance_with_1e5_items_of_which_a_tenth_lacks_its_next_step() -> None:
    """Every item has a message of its own; 10,000 absences meet 90,000 steps that came."""
    count = 100_000
    row = np.arange(1, count + 1, dtype=np.uint64)
    done = row[row % 10 != 0]
    total = 1 + 2 * count + len(done)
    parent = np.concatenate([[0], np.ones(count), 1 + row, 1 + count + done]).astype(np.uint64)
    sizes = (1, count, count, len(done))
    columns = {
        "service": np.repeat(["root", "root", "item", "item"], sizes),
        "operation": np.repeat(["", "send", "process", "send"], sizes),
        "kind": np.repeat([2, 4, 5, 4], sizes),
        "destination": np.repeat(["", "todo", "todo", "done"], sizes),
    }
    began = time.monotonic()
    found = whole(recording(spans(total, parent_id=parent, **columns)))
    assert time.monotonic() - began < 60
    assert found.instances["spans"].to_list() == [total]


@pytest.mark.slow
def test_1e6_spans_in_one_trace() -> None:
    count = 1_000_000
    parent = np.append(0, np.arange(1, count) // 10 + 1)
    columns = {"service": ["a", "b"] * (count // 2), "kind": [2, 3] * (count // 2)}
    found = analyze(recording(spans(count, parent_id=parent, **columns)))
    assert found.instances["spans"].to_list() == [count]


# --- links -------------------------------------------------------------------------------------


def test_1e5_links_on_one_span_of_the_same_trace() -> None:
    count = 100_000
    links = pl.DataFrame(
        {
            "span": np.zeros(count, np.uint32),
            "trace_hi": np.ones(count, np.uint64),
            "trace_lo": np.ones(count, np.uint64),
            "span_id": np.arange(1, count + 1, dtype=np.uint64),
            "is_message": [True] * count,
        }
    )
    found = whole(recording(spans(500, kind=[5] + [4] * 499, destination=["q"] * 500), links))
    assert len(found.instances) == 1


def test_1e5_links_from_one_batch_to_as_many_traces() -> None:
    count = 100_000
    links = pl.DataFrame(
        {
            "span": np.full(count, count, np.uint32),
            "trace_hi": np.ones(count, np.uint64),
            "trace_lo": np.arange(count, dtype=np.uint64),
            "span_id": np.arange(1, count + 1, dtype=np.uint64),
            "is_message": [True] * count,
        }
    )
    columns = {
        "trace_lo": np.arange(count + 1, dtype=np.uint64),
        "kind": [4] * count + [5],
        "operation": ["send"] * count + ["process"],
        "service": ["a"] * count + ["b"],
        "destination": ["q"] * (count + 1),
    }
    began = time.monotonic()
    found = whole(recording(spans(count + 1, **columns), links))
    assert time.monotonic() - began < 60
    assert len(found.instances) == count
    assert found.steps["shared"].sum() == count


def test_links_in_a_circle() -> None:
    tape = Tape()
    refs = [tape.send("a", "q", n) for n in range(3)]
    for number, one in enumerate(tape.spans):
        one["span"]["links"] = [
            {"traceId": refs[number - 1].trace, "spanId": refs[number - 1].span}
        ]
    assert len(whole(tape.recording()).instances) <= 1


# --- names -------------------------------------------------------------------------------------


def test_labels_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MAX_LABELS", 100)
    count = 3_000
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [
        letters[n % 26] + letters[n // 26 % 26] + letters[n // 676 % 26] + letters[n // 17576]
        for n in range(count)
    ]
    columns = {"trace_lo": np.arange(count, dtype=np.uint64), "name": names}
    found = whole(recording(spans(count, **columns)))
    assert found.steps["operation"].n_unique() == 101
    assert OTHER in found.steps["operation"].cast(pl.String).to_list()


@pytest.mark.slow
def test_1e6_distinct_names() -> None:
    count = 1_000_000
    names = (
        pl.Series("n", np.arange(count))
        .cast(pl.String)
        .str.replace_many([str(d) for d in range(10)], list("abcdefghij"))
    )
    columns = {"trace_lo": np.arange(count, dtype=np.uint64) // 10, "name": names}
    found = analyze(recording(spans(count, **columns)))
    assert found.steps["operation"].n_unique() <= labels.MAX_LABELS + 1


# --- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "quality"),
    [
        ([0] * 50, int(Quality.ZERO_TIME)),
        ([BIGGEST] * 50, int(Quality.CLAMPED_TIME)),
        ([0] * 25 + [BIGGEST] * 25, 0),
        ([-(2**63)] * 25 + [BIGGEST] * 25, 0),
        ([-5] * 50, 0),
    ],
    ids=["zero", "largest", "zero and largest", "smallest and largest", "before 1970"],
)
def test_times_out_of_this_world(start: list[int], quality: int) -> None:
    frame = spans(50, **ping_pong(50), start_ns=start, end_ns=start, quality=[quality] * 50)
    found = whole(recording(frame))
    assert len(found.instances) == 1


def test_spans_of_the_far_future_make_nobody_late() -> None:
    """One clock that runs a century ahead, among 1500 spans."""
    tape = Tape()
    for case in range(500):
        root = tape.serve("shop", "POST /orders", case)
        sent = tape.send("shop", "orders", case + 0.01, parent=root)
        tape.process("stock", sent, case + 0.1)
    tape.drop(sent)
    tape.span("clock", "tick", 3e9)
    found = whole(tape.recording())
    assert not {"stuck", "late"} & kinds(found)
    assert any("far in the future" in note.message for note in found.data_notes)


def test_as_of_before_everything_blames_nobody() -> None:
    tape = Tape()
    for case in range(40):
        sent = tape.send("shop", "orders", case)
        if case % 10:
            tape.process("stock", sent, case + 0.1)
    found = whole(tape.recording(), as_of_ns=0)
    assert not {"stuck", "late", "consumer-dark", "backlog"} & kinds(found)


# --- nulls -------------------------------------------------------------------------------------


def test_spans_that_say_only_who_they_are(tmp_path: Path) -> None:
    """Nulls wherever a column may be null, and in a file wherever it may not."""
    count = 50
    who = {"trace_lo": np.ones(count, np.uint64), "span_id": np.arange(1, count + 1)}
    frame = schema.complete(pl.DataFrame({"trace_hi": np.ones(count), **who}), schema.SPANS)
    path = tmp_path / "spans.parquet"
    frame.write_parquet(path)
    whole(path)
    bare = frame.with_columns(
        pl.col(pl.UInt64).fill_null(1),
        pl.col("start_ns", "end_ns").fill_null(T0_NS),
        pl.col("kind", "status", "quality").fill_null(0),
        service=pl.lit("svc").cast(schema.WORD),
        name=pl.lit("op").cast(schema.WORD),
    )
    assert whole(recording(bare)).by_state != {}


def test_words_that_are_null_in_some_rows_only() -> None:
    count = 60
    half: dict[str, object] = {
        name: [None if n % 2 else "x" for n in range(count)]
        for name, dtype in schema.SPANS.items()
        if dtype == schema.WORD and name not in ("service", "name", "operation")
    }
    columns = ping_pong(count) | half | {"operation": [None, "process", "send"] * 20}
    whole(recording(spans(count, **columns)))


# --- anything ----------------------------------------------------------------------------------


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    """Any small tangle of spans: parents, links, kinds and times at random."""
    tape = Tape()
    refs: list[Ref] = []
    for number in range(draw(st.integers(1, 12))):
        before = st.sampled_from(refs) if refs else st.none()
        parent = draw(st.none() | before | st.just("00000000000000ff"))
        links = draw(st.lists(before, max_size=3)) if refs else []
        operation = draw(st.sampled_from(["", "send", "receive", "process", "settle", "create"]))
        attributes: dict[str, object] = {"order.id": draw(st.sampled_from(["o-1", "o-2", ""]))}
        if operation:
            attributes["messaging.operation.type"] = operation
            attributes["messaging.destination.name"] = draw(st.sampled_from(["q", "q.dlq", ""]))
            attributes["messaging.message.id"] = draw(st.sampled_from(["", "m", "m" * 20]))
        refs.append(
            tape.span(
                draw(st.sampled_from("abc")),
                draw(st.sampled_from(["op", "", "GET /x/1"])),
                draw(st.floats(-1e9, 1e9)),
                draw(st.floats(0, 1e6)),
                kind=draw(
                    st.sampled_from(["internal", "server", "client", "producer", "consumer"])
                ),
                parent=parent,
                trace=draw(st.none() | st.just(f"t{number % 2}")),
                links=[one for one in links if one is not None],
                error=draw(st.booleans()),
                attributes=attributes,
            )
        )
    return tape


@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(tapes(), st.sampled_from([(), ("order.id",), ("auto",)]))
def test_any_tangle_is_analysed(tape: Tape, configured: tuple[str, ...]) -> None:
    found = analyze(tape.recording(), keys=configured)
    json.render(found, Context())
    text.render(found, Context())
    for identifier in found.instances["id"]:
        found.instance(identifier).graph()
    found.service_graph()
    spans_of_steps = set(found.steps["span"].to_list())
    assert spans_of_steps <= set(range(len(found.recording.spans)))
    assert found.instances["id"].is_unique().all()
    assert (found.edges["wait_ns"] >= 0).all()


def test_reading_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    whole(read([tmp_path / "empty.jsonl"]))


def test_a_leaf_whose_clock_is_ahead_does_not_move_now() -> None:
    """Nothing that was in flight at the cut is stuck, though one service's last ends lie later."""
    found = analyze(
        "sim:order?instances=150&seed=911&faults=skew:30,in-flight:0.05&target=notification"
    )
    assert {"stuck", "orphaned"}.isdisjoint(found.by_state)


def test_what_may_still_be_on_its_way_is_not_lost() -> None:
    """Exporters send in batches: a service that has shown nothing since gets their time."""
    found = analyze("sim:order?instances=300&seed=1&faults=late-spans:5")
    assert "stuck" not in found.by_state
