"""Kinds of edges, the service graph and the services' figures."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analyzer.analysis import SERVICE_EDGES, SERVICES
from analyzer.coupling import dependencies, edge_kinds, hotspots, service_edges, services, style
from analyzer.coupling.names import is_imperative, is_relay, is_reply, writes
from tests.coupling.builder import NO_CALLS, Frames, World


def kinds(frames: Frames) -> dict[tuple[str, str, str], str]:
    """Kind by (source, target, destination)."""
    rows = frames.service_edges.select("source", "target", "destination", "kind").rows()
    assert len({row[:3] for row in rows}) == len(rows), rows
    return {row[:3]: row[3] for row in rows}


@pytest.mark.parametrize(
    "name",
    [
        "ReserveStock",
        "payments.capture",
        "reserve-stock",
        "commands.orders",
        "charge-card",
        "com.shop.v1.CancelOrder",
        "send_email",
        "shipping-requests",
        "inventory.reserve.v2",
    ],
)
def test_imperative(name: str) -> None:
    assert is_imperative(name)


@pytest.mark.parametrize(
    "name",
    [
        "order.placed",
        "StockReserved",
        "payment.requested",
        "orders",
        "order",
        "emailSent",
        "",
        "parcel.assigned",
        "payment-events",
        "refund",
        "orders.reply",
        "shipping",
        "feed",
        "v1",
        "\x00",
    ],
)
def test_not_imperative(name: str) -> None:
    assert not is_imperative(name)


def test_other_names() -> None:
    assert is_reply("orders.replies")
    assert is_reply("paymentResponse")
    assert not is_reply("order.placed")
    assert is_relay("api-gateway")
    assert is_relay("front-end")
    assert is_relay("loadgenerator")
    assert not is_relay("orders")
    assert not is_relay("webhooks")
    assert not is_relay("checkoutservice")
    assert writes("INSERT shop.orders") is True
    assert writes("orders.insert") is True
    assert writes("SELECT shop.orders") is False
    assert writes("HGET") is False
    assert writes("orders") is None
    assert writes("") is None


def test_calls_events_commands_and_replies() -> None:
    """One instance of each kind of hand-over gets the kind a person would give it."""
    world = World()
    world.begin()
    root = world.step("orders", "request", "POST /orders")
    world.call("stock", root)
    world.message(root, "order.placed", "mail", "billing")
    (reserve,) = world.message(root, "stock.reserve", "inventory")
    world.message(reserve, "stock.reserved", "orders")
    (told,) = world.message(root, "ledger", "book")
    world.message(told, "audit", "archive")
    assert kinds(world.frames()) == {
        ("orders", "stock", ""): "sync",
        ("orders", "mail", "order.placed"): "event",
        ("orders", "billing", "order.placed"): "event",
        ("orders", "inventory", "stock.reserve"): "command",
        ("inventory", "orders", "stock.reserved"): "reply",
        ("orders", "book", "ledger"): "event",
        ("book", "archive", "audit"): "event",
    }


def test_an_imperative_name_with_two_consumers_is_an_event() -> None:
    world = World()
    world.begin()
    root = world.step("orders", "request")
    world.message(root, "stock.reserve", "inventory", "audit")
    assert set(kinds(world.frames()).values()) == {"event"}


def test_two_groups_of_one_service_are_two_consumers() -> None:
    world = World()
    for group in ("a", "b"):
        world.begin()
        world.message(world.step("orders", "request"), "stock.reserve", "inventory", group=group)
    assert set(kinds(world.frames()).values()) == {"event"}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"intent": "Send"}, "command"),
        ({"intent": "Publish"}, "event"),
        ({"event_type": "com.shop.stock.reserve"}, "command"),
        ({"event_type": "com.shop.stock.reserved"}, "event"),
    ],
)
def test_what_the_message_declares_goes_before_the_name(more: dict[str, str], kind: str) -> None:
    for destination in ("queue1", "do-this"):
        world = World()
        world.begin()
        world.message(world.step("orders", "request"), destination, "inventory", **more)
        assert kinds(world.frames()) == {("orders", "inventory", destination): kind}


def test_of_a_ping_pong_every_second_message_answers() -> None:
    world = World()
    world.begin()
    at = world.step("a", "request")
    for number in range(4):
        (at,) = world.message(at, f"t{number}", "b" if number % 2 == 0 else "a")
    assert kinds(world.frames()) == {
        ("a", "b", "t0"): "event",
        ("b", "a", "t1"): "reply",
        ("a", "b", "t2"): "event",
        ("b", "a", "t3"): "reply",
    }


def test_a_late_answer_over_a_reply_queue_is_a_reply() -> None:
    """Not directly before, but asked in the same instance; without asking it is an event."""
    world = World()
    world.begin()
    root = world.step("orders", "request")
    (at_bank,) = world.message(root, "payment.in", "bank")
    (at_risk,) = world.message(at_bank, "risk.in", "risk")
    (at_bank_again,) = world.message(at_risk, "risk.done", "bank")
    world.message(at_bank_again, "payment.reply", "orders")
    world.message(at_bank_again, "press.reply", "press")
    found = kinds(world.frames())
    assert found["bank", "orders", "payment.reply"] == "reply"
    assert found["bank", "press", "press.reply"] == "event"


def test_work_inside_a_service_is_no_edge_but_its_own_messages_are() -> None:
    world = World()
    world.begin()
    root = world.step("orders", "request")
    world.step("orders", "task", "compute", root)
    world.message(root, "orders.retry-later", "orders")
    assert list(kinds(world.frames())) == [("orders", "orders", "orders.retry-later")]


def test_figures_of_an_edge() -> None:
    """An instance counts once however many calls; errors are the target's."""
    world = World()
    for row in range(4):
        world.begin()
        root = world.step("a", "request")
        for _ in range(3):
            world.call("b", root, error=row == 0)
    edge = world.frames().service_edges.row(0, named=True)
    assert (edge["instances"], edge["calls"], edge["errors"]) == (4, 12, 3)
    assert edge["p50_wait_ns"] == edge["p95_wait_ns"] == 1_000_000
    assert edge["first_ns"] < edge["last_ns"]


def test_silent_participants_are_called_and_counted_with_the_others() -> None:
    """A call to a peer that emits nothing joins the edge that steps show, as one edge."""
    world = World()
    world.begin()
    root = world.step("checkout", "request")
    world.call("cart", root)
    call = {"instance": 0, "source": "checkout", "error": True, "start_ns": 5, "wait_ns": 7}
    world.calls = [{**call, "target": "cart"}, {**call, "target": "redis"}]
    frames = world.frames()
    rows = frames.service_edges.select("target", "calls", "errors", "instances").rows()
    assert rows == [("cart", 2, 1, 1), ("redis", 1, 1, 1)]
    silent = frames.services.filter(pl.col("name") == "redis").row(0, named=True)
    assert (silent["spans"], silent["ca"], silent["ce"], silent["last_ns"]) == (0, 1, 0, 5)


def test_who_depends_on_whom() -> None:
    """A caller and a commander depend on the target, a subscriber on the publisher."""
    world = World()
    world.begin()
    root = world.step("orders", "request")
    world.call("stock", root)
    world.message(root, "order.placed", "mail", "audit")
    (at,) = world.message(root, "stock.reserve", "inventory")
    world.message(at, "x", "orders")
    frames = world.frames()
    assert set(dependencies(frames.service_edges).rows()) == {
        ("orders", "stock"),
        ("mail", "orders"),
        ("audit", "orders"),
        ("orders", "inventory"),
    }
    figures = {
        row[0]: row[1:] for row in frames.services.select("name", "ca", "ce", "instability").rows()
    }
    assert figures["orders"] == (2, 2, 0.5)
    assert figures["mail"] == (0, 1, 1.0)
    assert figures["stock"] == (1, 0, 0.0)


def test_empty_frames_give_empty_answers() -> None:
    world = World()
    world.begin()
    world.step("alone", "task")
    frames = world.frames()
    nothing = frames.steps.clear(), frames.edges.clear()
    assert len(edge_kinds(*nothing)) == 0
    edges = service_edges(*nothing, NO_CALLS)
    assert edges.schema == pl.Schema(SERVICE_EDGES)
    counts = pl.DataFrame(
        schema={n: t for n, t in SERVICES.items() if n in ("name", "spans", "errors", "last_ns")}
    )
    table = services(counts, nothing[0], edges)
    assert table.schema == pl.Schema(SERVICES)
    assert table.is_empty()
    assert style(*nothing, frames.instances.clear()).is_empty()
    assert hotspots(*nothing, frames.instances.clear(), edges, table, frames.spans.clear()) == ()
    assert hotspots(*frames.all) == ()
    assert style(frames.steps, frames.edges, frames.instances).rows() == [("order", "undetermined")]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Instances of random shape: trees of calls and messages among a few services."""
    names = ["a", "b", "c", "d"]
    world = World()
    for _ in range(draw(st.integers(1, 6))):
        world.begin(draw(st.sampled_from(["w", "x"])))
        at = [world.step(draw(st.sampled_from(names)), "request")]
        for _ in range(draw(st.integers(0, 7))):
            parent, target = draw(st.sampled_from(at)), draw(st.sampled_from(names))
            if draw(st.booleans()):
                at.append(world.call(target, parent))
            else:
                topic = draw(st.sampled_from(["do.reserve", "placed", "x.reply"]))
                at += world.message(parent, topic, target)
    return world


@settings(max_examples=40, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_edges_changes_nothing(world: World, rnd: random.Random) -> None:
    order = list(range(len(world.edges)))
    one = world.frames()
    rnd.shuffle(order)
    other = world.frames(order)
    assert_frame_equal(one.service_edges, other.service_edges)
    assert_frame_equal(one.services, other.services)
    assert (
        one.edges["kind"].cast(pl.String)[order].to_list()
        == other.edges["kind"].cast(pl.String).to_list()
    )
    assert hotspots(*one.all) == hotspots(*other.all)


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_nothing_is_counted_twice_or_lost(world: World) -> None:
    """The calls of all service edges are the edges that cross or hand over a message."""
    frames = world.frames()
    service = [step["service"] for step in world.steps]
    kind = [step["kind"] for step in world.steps]
    crossing = sum(
        service[e["source"]] != service[e["target"]]
        or (kind[e["source"]] == "send" and kind[e["target"]] == "process")
        for e in world.edges
    )
    assert frames.service_edges["calls"].sum() == crossing
    assert (frames.service_edges["instances"] <= frames.service_edges["calls"]).all()
