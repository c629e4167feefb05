"""Each kind of hotspot: where it is found, where it must not be, and that its parts add up."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.coupling import coupling_findings, hotspots, style
from analyzer.coupling.score import MAX_HOTSPOTS
from analyzer.coupling.synchronous_chain import latest_before
from analyzer.finding import Hotspot, Severity
from tests.coupling.builder import World


def found(world: World) -> dict[str, list[Hotspot]]:
    """Hotspots by kind; checks what holds for every one."""
    spots = hotspots(*world.frames().all)
    assert len(spots) <= MAX_HOTSPOTS
    result: dict[str, list[Hotspot]] = {}
    for spot in spots:
        assert 0 <= spot.score <= 1
        assert spot.score == pytest.approx(sum(spot.parts.values()))
        assert "n = " in spot.message
        result.setdefault(spot.kind, []).append(spot)
    return result


def styles(world: World) -> dict[str, str]:
    frames = world.frames()
    return dict(style(frames.steps, frames.edges, frames.instances).iter_rows())


def healthy(world: World, runs: int = 30) -> None:
    """Three subscribers of an order, one of which goes on: nothing to complain about."""
    for _ in range(runs):
        world.begin()
        root = world.step("orders", "request", "POST /orders")
        inventory, *_ = world.message(root, "order.placed", "inventory", "mail", "logistics")
        world.message(inventory, "stock.reserved", "billing")


def test_a_small_healthy_choreography_has_no_hotspots() -> None:
    world = World()
    healthy(world)
    assert found(world) == {}
    assert styles(world) == {"order": "choreographed"}


def test_a_login_with_two_calls_is_synchronous_and_no_hotspot() -> None:
    world = World()
    for _ in range(30):
        world.begin("login")
        root = world.step("web-app", "request")
        otp = world.call("otp", root)
        world.call("sms", otp)
    assert found(world) == {}
    assert styles(world) == {"login": "synchronous"}


def circle(world: World, again: bool, runs: int = 25) -> None:
    for _ in range(runs):
        world.begin()
        at = world.step("a", "request")
        for target in ("b", "c", "a", *(("b", "c", "a") if again else ())):
            (at,) = world.message(at, f"{target}.happened", target)


def test_a_circle_that_runs_on_weighs_more_than_an_outcome_told() -> None:
    running, told = World(), World()
    circle(running, again=True)
    circle(told, again=False)
    (loop,), (outcome,) = found(running)["cycle"], found(told)["cycle"]
    assert loop.services == outcome.services == ("a", "b", "c")
    assert loop.parts["causal"] == 0.4
    assert outcome.parts["causal"] == 0
    assert "goes round again in 25 of n = 25" in loop.message
    assert "as an outcome does" in outcome.message
    assert [f.severity for f in coupling_findings((loop,))] == [Severity.WARNING]


def test_a_circle_of_the_graph_only() -> None:
    world = World()
    for a, b in (("a", "b"), ("b", "c"), ("c", "a")):
        for _ in range(5):
            world.begin()
            world.call(b, world.step(a, "request"))
    (spot,) = found(world)["cycle"]
    assert "no single run goes round" in spot.message
    assert spot.parts["causal"] == 0
    assert spot.parts["synchronous"] == 0.2


def test_a_circle_seen_twice_is_not_reported() -> None:
    world = World()
    circle(world, again=True, runs=2)
    assert "cycle" not in found(world)


def test_a_circle_that_a_reply_closes_is_harmless() -> None:
    world = World()
    for _ in range(20):
        world.begin()
        root = world.step("a", "request")
        world.message(root, "c.news", "c")
        (at,) = world.message(root, "b.news", "b")
        (at,) = world.message(at, "c.more", "c")
        world.message(at, "a.reply", "a")
    (spot,) = found(world)["cycle"]
    assert "harmless" in spot.message
    assert coupling_findings((spot,)) == ()


def test_a_reply_makes_no_pair_but_a_call_back_does() -> None:
    asked, calls_back = World(), World()
    for world in (asked, calls_back):
        for _ in range(20):
            world.begin()
            root = world.step("orders", "request")
            if world is asked:
                (at,) = world.message(root, "stock.in", "stock")
                world.message(at, "stock.out", "orders")
            else:
                world.call("orders", world.call("stock", root))
    assert "bidirectional" not in found(asked)
    (spot,) = found(calls_back)["bidirectional"]
    assert spot.services == ("orders", "stock")
    assert spot.score == 1.0
    assert coupling_findings((spot,))[0].severity is Severity.WARNING


def test_a_pair_that_only_compensation_makes_scores_lower() -> None:
    world = World()
    for row in range(40):
        world.begin(state="compensated" if row < 10 else "complete")
        root = world.step("orders", "request")
        at = world.call("payment", root)
        if row < 10:
            (at,) = world.message(at, "payment.voided", "ledger")
            world.message(at, "x", "payment")
            world.begin(state="compensated")
            world.call("orders", world.step("payment", "request"))
    (spot,) = found(world)["bidirectional"]
    assert spot.services == ("orders", "payment")
    assert spot.parts["happy"] == 0
    assert "error variants only" in spot.message


def test_the_one_in_the_middle_is_a_hub_and_its_peers_are_not() -> None:
    world = World()
    for _ in range(25):
        world.begin()
        hub = world.call("core", world.step("edge", "request"))
        for name in "abcdef":
            world.call(name, hub)
    (spot,) = found(world)["hub"]
    assert spot.services == ("core",)
    assert spot.parts["betweenness"] == 0.4
    assert spot.parts["articulation"] == 0.1
    assert styles(world) == {"order": "orchestrated"}


def test_a_chain_of_services_has_no_hub() -> None:
    world = World()
    for _ in range(25):
        world.begin()
        at = world.step("s0", "task")
        for number in range(1, 10):
            (at,) = world.message(at, f"t{number}.done", f"s{number}")
    assert found(world) == {}


def chain(world: World, hops: int, runs: int = 25) -> None:
    for _ in range(runs):
        world.begin()
        at = world.step("s0", "request", takes=100)
        for number in range(1, hops + 1):
            at = world.call(f"s{number}", at, takes=100 - number)


@pytest.mark.parametrize(("hops", "expected"), [(2, 0), (3, 0), (4, 1), (7, 1)])
def test_chains_longer_than_layers(hops: int, expected: int) -> None:
    world = World()
    chain(world, hops)
    spots = found(world).get("synchronous-chain", [])
    assert len(spots) == expected
    for spot in spots:
        assert spot.services == tuple(f"s{number}" for number in range(hops + 1))
        assert spot.parts["blocked"] > 0.25


def test_a_message_ends_a_chain() -> None:
    world = World()
    for _ in range(25):
        world.begin()
        at = world.call("s1", world.step("s0", "request"))
        (at,) = world.message(at, "s1.done", "s2")
        world.call("s4", world.call("s3", at))
    assert "synchronous-chain" not in found(world)


def test_blocked_time_counts_side_by_side_calls_once() -> None:
    group = np.array([0, 0, 0, 1, 1, 4])
    value = np.array([5, 3, 9, 2, 8, 1])
    assert latest_before(group, value).tolist() == [0, 5, 5, 0, 2, 0]
    many = np.arange(10**5)
    assert not latest_before(many, np.full(10**5, 2**55)).any()


def database(world: World, service: str, verb: str, **more: str) -> None:
    columns = {"db_system": "postgresql", "db_namespace": "shop", "peer": "db1", **more}
    for _ in range(10):
        world.database(service, verb, **columns)


@pytest.mark.parametrize(
    ("first", "second", "more", "expected"),
    [
        ("INSERT orders", "UPDATE orders", {}, "written by"),
        ("INSERT orders", "SELECT orders", {}, None),  # one owner, one reader
        ("SELECT orders", "SELECT orders", {}, None),
        ("shop.orders", "shop.orders", {}, "used by"),
        ("SET", "SET", {"db_system": "redis", "db_namespace": "0", "peer": "localhost"}, None),
        ("SET", "SET", {"db_system": "redis", "db_namespace": "0", "peer": "cache1"}, "written by"),
    ],
)
def test_shared_databases(
    first: str, second: str, more: dict[str, str], expected: str | None
) -> None:
    world = World()
    healthy(world)
    database(world, "orders", first, **more)
    database(world, "billing", second, **more)
    spots = found(world).get("shared-database", [])
    assert [expected in spot.message for spot in spots if expected] == [True] * bool(expected)
    assert len(spots) == bool(expected)
    for spot in spots:
        assert spot.services == ("billing", "orders")
        severity = Severity.WARNING if expected == "written by" else Severity.NOTE
        assert all(f.severity is severity for f in coupling_findings((spot,)))


def test_one_database_name_on_two_hosts_is_two_databases() -> None:
    world = World()
    healthy(world)
    database(world, "orders", "INSERT x", peer="db1")
    database(world, "billing", "INSERT x", peer="db2")
    assert found(world) == {}


@pytest.mark.parametrize(
    ("times", "error", "expected"), [(12, False, 1), (2, False, 0), (12, True, 0)]
)
def test_chatty_pairs_stand_out_and_retries_are_none(
    times: int, error: bool, expected: int
) -> None:
    world = World()
    for _ in range(25):
        world.begin()
        root = world.step("a", "request")
        world.call("b", root)
        at = world.call("c", root)
        for _ in range(times):
            world.call("d", at, error=error)
    spots = found(world).get("chatty", [])
    assert [spot.services for spot in spots] == [("c", "d")] * expected


def test_front_controller() -> None:
    """Others report to the first service, which orders nothing and is asked for the status."""
    world = World()
    for _ in range(25):
        world.begin()
        first = world.step("orders", "request", "POST /orders")
        (pay,) = world.message(first, "order.placed", "payment")
        world.message(pay, "payment.status", "orders")
        (ship,) = world.message(pay, "payment.captured", "shipping")
        world.message(ship, "shipping.status", "orders")
        world.step("orders", "request", "GET /orders/{id}")
    (spot,) = found(world)["front-controller"]
    assert spot.services == ("orders", "payment", "shipping")
    assert spot.score == 1.0


def direct(world: World, workflow: str, hub: str, *others: str) -> None:
    """`hub` asks each of the others over messages, one after the other; each answers."""
    for _ in range(20):
        world.begin(workflow)
        at = world.call(hub, world.step("edge", "request"))
        for name in others:
            (asked,) = world.message(at, f"{name}.command", name)
            (at,) = world.message(asked, f"{name}.reply", hub)


def test_one_that_directs_many_workflows_is_like_a_service_bus() -> None:
    world = World()
    for number in range(3):
        direct(world, f"w{number}", "bus-engine", f"a{number}", f"b{number}", "c")
    (spot,) = found(world)["esb-like-hub"]
    assert spot.services == ("bus-engine",)
    assert set(styles(world).values()) == {"orchestrated"}


def test_each_workflow_with_its_own_coordinator_is_no_service_bus() -> None:
    world = World()
    for number in range(3):
        direct(world, f"w{number}", f"c{number}", f"a{number}", f"b{number}")
    assert "esb-like-hub" not in found(world)


def test_gateways_direct_nothing() -> None:
    world = World()
    for number in range(3):
        direct(world, f"w{number}", "api-gateway", "a", "b")
    assert "esb-like-hub" not in found(world)
    assert "orchestrated" not in styles(world).values()


def test_style_needs_twenty_instances_and_sees_mixtures() -> None:
    few, mixed = World(), World()
    healthy(few, runs=19)
    assert styles(few) == {"order": "undetermined"}
    for _ in range(20):
        mixed.begin()
        root = mixed.step("a", "request")
        at = mixed.call("c", mixed.call("b", root))
        (at,) = mixed.message(at, "c.done", "d")
        mixed.message(at, "d.done", "e")
    assert styles(mixed) == {"order": "hybrid"}


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((100, 200, 400), 1), ((100, 101, 102), 0), ((400, 200, 100), 0), ((None, 100, 200), 0)],
)
def test_stamp_coupling(sizes: tuple[int | None, ...], expected: int) -> None:
    world = World()
    for _ in range(25):
        world.begin()
        at = world.step("s0", "task")
        for number, size in enumerate(sizes):
            (at,) = world.message(at, f"t{number}.done", f"s{number + 1}", size=size)
    spots = found(world).get("stamp-coupling", [])
    assert [spot.services for spot in spots] == [("s2", "s3")] * expected


def publish(world: World, topic: str, outcome: bool, *more: str, state: str = "complete") -> None:
    world.begin(state=state)
    root = world.step("orders", "request")
    (at, *_) = world.message(root, topic, "stock", *more)
    if outcome:
        world.message(at, "stock.reserved", "orders")


def test_an_event_that_means_an_order() -> None:
    """One consumer, an outcome that is awaited, compensation without it: three of four signs."""
    world = World()
    for row in range(40):
        publish(world, "order.placed", row >= 10, state="compensated" if row < 10 else "complete")
    (spot,) = found(world)["passive-aggressive-event"]
    assert spot.services == ("orders", "stock")
    assert spot.message.startswith("Hint")
    assert coupling_findings((spot,))[0].severity is Severity.NOTE


def test_an_event_with_two_signs_or_an_open_command_is_left_alone() -> None:
    two, several, honest = World(), World(), World()
    for _ in range(30):
        publish(two, "order.placed", True)
        publish(several, "stock.reserve", True, "audit")
        publish(honest, "stock.reserve.command", True)
    for world in (two, several, honest):
        assert "passive-aggressive-event" not in found(world)


def test_findings_tell_places_apart() -> None:
    spots = tuple(
        Hotspot("chatty", (a, b), 0.9, {"excess": 0.9}, "m") for a, b in (("a", "b"), ("a", "c"))
    )
    assert len({finding.fingerprint for finding in coupling_findings(spots)}) == 2
