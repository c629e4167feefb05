"""Laws of the whole analysis: what must not change when arrival, copies or neighbours change."""

from __future__ import annotations

import random
from functools import cache

import msgspec
import networkx as nx
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analyzer import analyze
from analyzer.analysis import Analysis
from collectors.simulate import parse, simulate, to_json
from tests.support.spans import DAY, Ref, Tape, line, recorded, report

SHAPES = ("child", "link", "key", "batch")
few = settings(
    max_examples=5,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking would analyse for minutes
)


@cache
def simulated(uri: str) -> tuple[bytes, ...]:
    """A simulated recording as lines of OTLP JSON."""
    return tuple(to_json(request) for request in simulate(parse(uri))[0])


@cache
def single_spans(uri: str) -> tuple[bytes, ...]:
    """The same, one span a line."""
    lines = []
    for text in simulated(uri):
        for resource in msgspec.json.decode(text)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    one = {"resource": resource["resource"], "scopeSpans": [{"spans": [span]}]}
                    lines.append(msgspec.json.encode({"resourceSpans": [one]}))
    return tuple(lines)


WORLDS = (
    "sim:electronics?instances=25&faults=lost:0.1,crash:0.1,duplicate:0.1&shape=link&seed=3",
    "sim:order?instances=25&faults=handler-error:0.2,lost:0.1&shape=batch&seed=4",
    "sim:exit?instances=20&shape=key&seed=5",
)


@cache
def plain_report(uri: str, keys: tuple[str, ...] = ()) -> str:
    return report(analyze(recorded(single_spans(uri)), keys=keys))


# --- order of arrival --------------------------------------------------------------------------


@few
@given(st.sampled_from(WORLDS), st.integers(0, 2**32), st.integers(1, 4), st.booleans())
def test_any_order_of_lines_and_any_split_into_files_gives_the_same_bytes(
    uri: str, seed: int, files: int, keyed: bool
) -> None:
    keys = ("auto",) if keyed else ()
    lines = list(single_spans(uri))
    random.Random(seed).shuffle(lines)
    parts = [lines[number::files] for number in range(files)]
    assert report(analyze(recorded(*parts), keys=keys)) == plain_report(uri, keys)


@few
@given(st.sampled_from(WORLDS), st.integers(0, 2**32))
def test_copies_change_nothing_but_the_count_of_duplicates(uri: str, seed: int) -> None:
    lines = list(single_spans(uri))
    copies = random.Random(seed).choices(lines, k=30)
    doubled = recorded(lines + copies)
    assert doubled.intake.duplicates == 30
    text = report(analyze(doubled)).replace('"duplicates":30', '"duplicates":0')
    assert text == plain_report(uri)


# --- neighbours --------------------------------------------------------------------------------

_ABOUT = ("id", "state", "steps", "spans", "keys", "trace_ids", "variant", "workflow", "cause")


def rows(analysis: Analysis) -> dict[str, tuple[object, ...]]:
    chosen = analysis.instances.select(_ABOUT)
    return {row[0]: tuple(map(str, row)) for row in chosen.iter_rows()}


def unrelated(tape: Tape, at: float, name: str) -> None:
    """One healthy trace of services that nobody else knows."""
    root = tape.serve("other-front", f"GET /{name}", at, trace=f"unrelated {name} {at}")
    tape.call(root, "other-back", f"GET /{name}", at + 0.01)


@few
@given(st.sampled_from(WORLDS), st.floats(0, 50), st.text("abcdef", min_size=1, max_size=5))
def test_an_unrelated_trace_changes_no_other_instance(uri: str, at: float, name: str) -> None:
    tape = Tape()
    unrelated(tape, at, name)
    lines = list(single_spans(uri))
    before = analyze(recorded(lines))
    after = analyze(recorded(lines + tape.lines()), as_of_ns=before.as_of_ns)
    own = rows(after)
    for identifier in set(own) - set(rows(before)):
        own.pop(identifier)
    assert own == rows(before)
    assert len(after.instances) == len(before.instances) + 1


@pytest.mark.parametrize("uri", WORLDS)
def test_the_variants_of_the_same_instance_do_not_depend_on_its_neighbours(uri: str) -> None:
    """Half of the recording gives its instances the ids, steps and traces of the whole."""
    whole = analyze(recorded(single_spans(uri)))
    ids = whole.instances["id"].to_list()
    kept = set(ids[::2])
    traces = {
        trace
        for traces, one in whole.instances.select("trace_ids", "id").rows()
        for trace in traces
        if one in kept
    }
    others = {
        trace
        for traces, one in whole.instances.select("trace_ids", "id").rows()
        for trace in traces
        if one not in kept
    }
    lines = [
        text
        for text in single_spans(uri)
        if any(trace.encode() in text for trace in traces - others)
        and not any(trace.encode() in text for trace in others)
    ]
    part = analyze(recorded(lines)).instances
    common = whole.instances.join(part, on="id", suffix="_part")
    alone = whole.instances.filter(
        pl.col("id").is_in(list(kept))
        & ~pl.col("trace_ids").list.eval(pl.element().is_in(list(others))).list.any()
    )
    assert set(alone["id"]) <= set(common["id"])
    mine = common.filter(pl.col("id").is_in(alone["id"].implode()))
    assert mine["steps"].to_list() == mine["steps_part"].to_list()
    assert mine["trace_ids"].to_list() == mine["trace_ids_part"].to_list()


# --- four shapes -------------------------------------------------------------------------------


def labelled(analysis: Analysis, row: int) -> nx.DiGraph[int]:
    """The instance's graph with the label of each step, and the edges alone."""
    identifier = analysis.instances["id"][row]
    graph = analysis.instance(identifier).graph()
    bare: nx.DiGraph[int] = nx.DiGraph()
    bare.add_nodes_from(
        (n, {"label": f"{d['service']}: {d['operation']}"}) for n, d in graph.nodes(data=True)
    )
    bare.add_edges_from(graph.edges())
    return bare


def same(left: nx.DiGraph[int], right: nx.DiGraph[int]) -> bool:
    def match(a: dict[str, str], b: dict[str, str]) -> bool:
        return a["label"] == b["label"]

    return nx.is_isomorphic(left, right, node_match=match)


def by_key(analysis: Analysis, attribute: str) -> dict[str, int]:
    """Row of the instance that carries each value of a business key."""
    recording = analysis.recording
    values = recording.attributes.filter(pl.col("key").cast(pl.String) == attribute)
    steps = analysis.steps.select("instance", span="span")
    found = values.join(steps, on="span").select("value", "instance").unique()
    assert found["value"].is_unique().all(), "one value in two instances"
    assert found["instance"].is_unique().all(), "two values in one instance"
    return dict(found.rows())


@pytest.mark.parametrize("system", ["order", "electronics"])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_simulated_shapes_give_the_same_instance_graphs(system: str, shape: str) -> None:
    key = "order.id"
    uri = f"sim:{system}?instances=12&seed=9"

    def graphs(one: str) -> dict[str, nx.DiGraph[int]]:
        analysis = analyze(recorded(simulated(f"{uri}&shape={one}")), keys=[f"{key}=app.order_id"])
        return {k: labelled(analysis, row) for k, row in by_key(analysis, key).items()}

    child, other = graphs("child"), graphs(shape)
    assert child.keys() == other.keys()
    assert len(child) == 12
    assert [k for k in child if not same(child[k], other[k])] == []


def shop(shape: str, cases: int = 3) -> Tape:
    """Order -> {stock, mail} -> parcel, by hand."""
    tape = Tape()
    sent: list[tuple[Ref, dict[str, object]]] = []
    for case in range(cases):
        at = case * 0.5
        key: dict[str, object] = {"order.id": f"ord-{case}"}
        root = tape.serve("shop", "POST /orders", at, attributes=key)
        order = tape.send("shop", "orders", at + 0.01, parent=root, attributes=key)
        sent.append((order, key))
        if shape != "batch":
            stock = tape.process("stock", order, at + 0.1, shape=shape, attributes=key)
            parcel = tape.send("stock", "parcels", at + 0.11, parent=stock, attributes=key)
            tape.process("mail", order, at + 0.2, shape=shape, attributes=key)
            tape.process("truck", parcel, at + 0.3, shape=shape, attributes=key)
    if shape == "batch":
        orders = [ref for ref, _ in sent]
        parcels = batch(tape, "stock", orders, 10, [key for _, key in sent], "parcels")
        batch(tape, "mail", orders, 11, [key for _, key in sent])
        batch(tape, "truck", parcels, 12, [key for _, key in sent])
    return tape


def batch(
    tape: Tape,
    service: str,
    messages: list[Ref],
    at: float,
    keys: list[dict[str, object]],
    onward: str = "",
) -> list[Ref]:
    """One receive span for all messages, and a process span for each below it."""
    destination = messages[0].destination
    out = []
    poll = tape.span(
        service,
        f"receive {destination}",
        at,
        0.5,
        kind="client",
        links=messages,
        attributes={
            "messaging.system": "kafka",
            "messaging.operation.type": "receive",
            "messaging.destination.name": destination,
            "messaging.batch.message_count": len(messages),
        },
    )
    for number, (message, key) in enumerate(zip(messages, keys, strict=True)):
        start = at + 0.01 * (number + 1)
        work = tape.process(
            service, destination, start, parent=poll, links=[message], attributes=key
        )
        if onward:
            out.append(tape.send(service, onward, start + 0.001, parent=work, attributes=key))
    return out


@pytest.mark.parametrize("shape", SHAPES)
def test_one_case_by_hand_has_one_graph_in_all_four_shapes(shape: str) -> None:
    analysis = shop(shape).analyze(keys=["order.id"])
    wanted: nx.DiGraph[int] = nx.DiGraph()
    names = (
        "shop: POST /orders",
        "shop: publish orders",
        "stock: process orders",
        "stock: publish parcels",
        "mail: process orders",
        "truck: process parcels",
    )
    wanted.add_nodes_from((n, {"label": name}) for n, name in enumerate(names))
    wanted.add_edges_from([(0, 1), (1, 2), (2, 3), (1, 4), (3, 5)])
    assert len(analysis.instances) == 3
    for row in range(3):
        found = labelled(analysis, row)
        assert same(found, wanted), (list(found.nodes(data=True)), list(found.edges()))


def test_a_case_joined_by_a_key_only_may_lie_days_apart() -> None:
    tape = Tape()
    for case in range(5):
        key = {"order.id": f"ord-{case}"}
        tape.send("shop", "orders", case, attributes=key)
        tape.process("stock", "orders", case + 3 * DAY, attributes=key)
    analysis = tape.analyze(keys=["order.id"])
    assert analysis.by_state == {"complete": 5}
    assert analysis.edges["tier"].cast(pl.String).to_list() == ["E7"] * 5
    assert analysis.instances["id"].to_list() == [f"order.id=ord-{n}" for n in range(5)]


@few
@given(st.integers(2, 12), st.integers(1, 3), st.booleans())
def test_no_union_passes_through_a_batch(messages: int, rounds: int, onward: bool) -> None:
    """However many messages batches share, there are as many instances as messages."""
    tape = Tape()
    current = [tape.send("shop", "q0", number * 0.1) for number in range(messages)]
    for level in range(rounds):
        keys: list[dict[str, object]] = [{} for _ in current]
        target = f"q{level + 1}" if onward else ""
        current = batch(tape, f"s{level}", current, 10 * (level + 1), keys, target)
        if not onward:
            break
    analysis = tape.analyze()
    assert len(analysis.instances) == messages
    assert analysis.instances["spans"].n_unique() == 1


def test_a_batch_that_works_on_all_messages_at_once_stands_in_each_instance() -> None:
    tape = Tape()
    sent = [tape.send("shop", "orders", number) for number in range(4)]
    tape.process("stock", "orders", 10, links=sent)
    analysis = tape.analyze()
    assert len(analysis.instances) == 4
    assert analysis.steps.filter("shared").height == 4
    assert len(analysis.edges) == 4
    assert analysis.by_state == {"complete": 4}


# --- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_ids_do_not_depend_on_how_many_cases_there_are(shape: str) -> None:
    small = shop(shape, 3).analyze(keys=["order.id"]).instances["id"].to_list()
    large = shop(shape, 9).analyze(keys=["order.id"]).instances["id"].to_list()
    assert set(small) < set(large)
    assert sorted(large) == large


def test_a_line_of_many_spans_is_as_good_as_many_lines() -> None:
    tape = shop("link")
    together: dict[str, list[dict[str, object]]] = {}
    about = {}
    for one in tape.spans:
        name = one["about"]["service.name"]
        about[name] = one["about"]
        together.setdefault(name, []).append(one["span"])
    lines = [line(about[name], spans) for name, spans in together.items()]
    assert report(analyze(recorded(lines))) == report(tape.analyze())
