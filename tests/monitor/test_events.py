"""`/api/v1/events`: what `curl -N` and EventSource see; slow clients hold nothing up."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from analyzer.alerts.engine import SECOND
from analyzer.alerts.silences import Silence
from analyzer.monitor import bell as bells
from analyzer.monitor.answers import numbers
from analyzer.monitor.api import routes
from analyzer.monitor.bell import Bell
from analyzer.monitor.events import Events
from collectors.receivers.http_server import HttpServer, Listen
from collectors.receivers.web import Access, Web
from tests.monitor.test_monitor import World, healthy


@dataclass
class Event:
    """One event, as a client takes it apart."""

    kind: str = ""
    id: str = ""
    data: Any = None


def events(lines: Iterator[str]) -> Iterator[Event]:
    """By the rules of the standard; a heartbeat is one without a kind."""
    found = Event()
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and (found.kind or found.id):
            yield found
            found = Event()
        elif name == "event":
            found.kind = value
        elif name == "id":
            found.id = value
        elif name == "data":
            found.data = json.loads(value)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    healthy(found, range(30))
    found.monitor.look()
    yield found
    found.store.close()
    found.outbox.close()


@contextmanager
def served(world: World, token: str = "", reader: str = "", **options: Any) -> Iterator[str]:
    paths = routes(world.monitor, world.outbox)
    if options:
        paths[("GET", "/api/v1/events")] = Events(Bell(world.monitor, numbers), **options).handler
    server = HttpServer([Listen("API", "127.0.0.1", 0, Web(paths, Access(token, reader)))])
    server.start()
    try:
        yield f"http://127.0.0.1:{server.listens[0].port}"
    finally:
        begin = time.monotonic()
        server.stop(2.0)
        assert time.monotonic() - begin < 2.0  # open streams hold nothing up


@contextmanager
def following(url: str, query: str = "", **headers: str) -> Iterator[Iterator[Event]]:
    with (
        httpx.Client(timeout=20) as client,
        client.stream("GET", f"{url}/api/v1/events{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream"
        yield events(answer.iter_lines())


def stuck(world: World, order: int) -> None:
    """One more order that nobody takes."""
    world.place(order)
    for _ in range(3):
        world.now += 6 * SECOND
        world.monitor.look()


def test_first_all_then_what_changes(world: World) -> None:
    with served(world) as url, following(url) as told:
        first = next(told)
        assert first.kind == "snapshot"
        assert first.data["by_state"] == {"complete": 30}
        assert len(first.data["instances"]) == 30
        world.place(30)
        look = world.monitor.look()
        new = next(told)
        assert (new.kind, new.data["generation"]) == ("change", look.generation)
        [instance] = new.data["instances"]
        assert (instance["was"], instance["state"]) == (None, "waiting")
        world.stock(30)
        world.monitor.look()
        [instance] = next(told).data["instances"]
        assert (instance["was"], instance["state"], instance["steps"]) == ("waiting", "complete", 2)


def test_an_alert_is_told_from_its_beginning_to_its_end(world: World) -> None:
    with served(world) as url, following(url) as told:
        next(told)
        stuck(world, 30)
        world.outbox.silence(Silence("s", (("kind", "stuck"),), 1 << 62, "me", "known"))
        world.monitor.look()
        phases = ["none"]
        while phases[-1] != "silenced":  # looks that follow each other at once may be told as one
            for alert in next(told).data["changed_alerts"]:
                assert alert["was"] == phases[-1]
                phases.append(alert["phase"])
        assert phases[1] in ("pending", "firing")


def test_where_holds_back_what_does_not_match(world: World) -> None:
    """What matches is told when it begins to match, and when it no longer does."""
    with served(world) as url, following(url, "?where=state:stuck") as told:
        assert next(told).data["instances"] == []
        healthy(world, range(31, 34))
        stuck(world, 30)
        found = next(told)
        assert [one["state"] for one in found.data["instances"]] == ["stuck"]
        world.stock(30)
        world.now += SECOND
        world.monitor.look()
        [instance] = next(told).data["instances"]
        assert (instance["was"], instance["state"]) == ("stuck", "complete")


def test_a_client_that_comes_again_misses_nothing(world: World) -> None:
    """Every change after its Last-Event-ID, each once, in order; then it goes on live."""
    with served(world) as url:
        with following(url) as other:
            with following(url) as told:
                last = next(told).id
            next(other)
            generations = []
            for order in range(30, 35):
                world.place(order)
                generations.append(world.monitor.look().generation)
                assert next(other).data["generation"] == generations[-1]
        with following(url, **{"last-event-id": last}) as told:
            again = [next(told) for _ in generations]
            assert {event.kind for event in again} == {"change"}
            assert [event.data["generation"] for event in again] == generations
            assert sum(len(event.data["instances"]) for event in again) == 5
            world.place(35)
            world.monitor.look()
            assert len(next(told).data["instances"]) == 1


@pytest.mark.parametrize("id", ["", "nonsense", "00000000-1", "-5", "x" * 2000, "ffff-99999999999"])
def test_an_id_of_another_time_begins_with_all(world: World, id: str) -> None:
    with served(world) as url, following(url, **{"last-event-id": id}) as told:
        assert next(told).kind == "snapshot"


def test_an_id_that_is_too_old_begins_with_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is bounded: who was away too long gets the whole again."""
    monkeypatch.setattr(bells, "KEPT", 3)
    with served(world) as url:
        with following(url) as told:
            last = next(told).id
            for order in range(30, 36):
                world.place(order)
                world.monitor.look()
                next(told)
        with following(url, **{"last-event-id": last}) as told:
            found = next(told)
            assert (found.kind, found.data["total"]) == ("snapshot", 36)


def test_silence_is_filled_with_heartbeats(world: World) -> None:
    """Each carries the id of the latest look, so that nothing is told again."""
    with served(world, heartbeat_s=0.2) as url, following(url) as told:
        first = next(told)
        beats = [next(told) for _ in range(3)]
        assert [(beat.kind, beat.id) for beat in beats] == [("", first.id)] * 3
        world.monitor.look()  # nothing has changed
        later = list(islice(told, 3))
        while later[-1].id == first.id and len(later) < 200:  # sent while it looked
            later.append(next(told))
        assert {beat.kind for beat in later} == {""}
        assert later[-1].id != first.id


def test_a_question_that_cannot_be_is_refused(world: World) -> None:
    with served(world) as url:
        for query in ("where=state:(", "limit=x", "sort=colour"):
            assert httpx.get(f"{url}/api/v1/events?{query}").status_code == 400
        assert httpx.head(f"{url}/api/v1/events").status_code == 200
        assert httpx.post(f"{url}/api/v1/events").status_code == 405


def test_events_before_the_first_look_are_not_there_yet(tmp_path: Path) -> None:
    world = World(tmp_path)
    with served(world) as url:
        answer = httpx.get(f"{url}/api/v1/events")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    world.store.close()
    world.outbox.close()


def test_the_token_holds_for_events_too(world: World) -> None:
    """One that may only ask may follow, but not silence."""
    with served(world, "secret", "reader") as url:
        assert httpx.get(f"{url}/api/v1/events").status_code == 401
        for token in ("secret", "reader"):
            with following(url, authorization=f"Bearer {token}") as told:
                assert next(told).kind == "snapshot"
        for method in ("POST", "DELETE"):
            given = {"authorization": "Bearer reader"}
            refused = httpx.request(method, f"{url}/api/v1/silences", headers=given)
            assert refused.status_code == 403
            assert "may only read" in refused.text


def test_too_many_streams_are_refused_and_counted(world: World) -> None:
    with served(world, most=2) as url, following(url) as one, following(url) as two:
        assert next(one).kind == next(two).kind == "snapshot"
        answer = httpx.get(f"{url}/api/v1/events")
        assert answer.status_code == 503
        assert "2 streams are open already" in answer.text


def test_what_became_of_streams_is_counted(world: World) -> None:
    with served(world) as url, following(url) as told:
        next(told)
        text = httpx.get(f"{url}/metrics").text
        assert "choreoscope_event_streams 1\n" in text
        assert 'choreoscope_event_streams_refused_total{reason="slow"} 0\n' in text


def reached(paths: Events, streams: int) -> None:
    """So many are open, now or soon."""
    until = time.monotonic() + 60
    while paths.counts.open != streams and time.monotonic() < until:
        time.sleep(0.02)
    assert paths.counts.open == streams


def test_a_slow_client_is_cut_and_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes nothing is dropped, holding a bounded number of bytes; others go on."""
    from collectors.receivers import outflow

    monkeypatch.setattr(outflow.Outflow.__init__, "__defaults__", (1 << 20, 0.5))
    current = world.monitor.current
    assert current is not None
    filler = {f"reason {n}": 1 for n in range(40_000)}  # a megabyte in every snapshot
    world.monitor.current = replace(current, rejected=filler)
    monkeypatch.setattr(Bell, "since", lambda self, generation: None)  # always from the beginning
    bell = Bell(world.monitor, numbers)
    told = Events(bell)
    web = Web({("GET", "/e"): told.handler})
    server = HttpServer([Listen("API", "127.0.0.1", 0, web)])
    server.start()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        deaf.connect(("127.0.0.1", server.listens[0].port))
        deaf.sendall(b"GET /e HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until = time.monotonic() + 60
        while not told.counts.slow and time.monotonic() < until:
            time.sleep(0.05)
        assert told.counts.slow == 1
        reached(told, 0)
        took = 0
        with suppress(OSError):  # reset, or ended: the system decides
            while piece := deaf.recv(1 << 20):
                took += len(piece)
        assert took < 16 << 20  # what the system itself holds, and one piece
    server.stop(1.0)


def test_a_client_that_goes_leaves_nothing(world: World) -> None:
    paths = Events(Bell(world.monitor, numbers), heartbeat_s=0.1)
    server = HttpServer([Listen("API", "127.0.0.1", 0, Web({("GET", "/e"): paths.handler}))])
    server.start()
    with socket.create_connection(("127.0.0.1", server.listens[0].port)) as one:
        one.sendall(b"GET /e HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1 200")
        reached(paths, 1)  # the head of the answer goes before its first event
    reached(paths, 0)
    server.stop(1.0)


def test_many_long_polls_wait_in_one_thread(world: World) -> None:
    """A hundred that wait take no thread each: a question beside them is answered at once, and all
    are answered by the next look."""
    with served(world) as url:
        generation = world.monitor.current.generation  # type: ignore[union-attr]
        asked = f"{url}/api/v1/snapshot?limit=1&after={generation}&wait=30"
        found: list[int] = []
        waiting = [
            threading.Thread(
                target=lambda: found.append(httpx.get(asked, timeout=60).json()["generation"])
            )
            for _ in range(40)
        ]
        for one in waiting:
            one.start()
        time.sleep(1.0)
        begin = time.monotonic()
        assert httpx.get(f"{url}/api/v1/services", timeout=20).status_code == 200
        assert time.monotonic() - begin < 10
        assert found == []
        world.monitor.look()
        for one in waiting:
            one.join(60)
        assert found == [generation + 1] * 40


def test_the_server_ends_in_time_whoever_follows(world: World) -> None:
    with served(world) as url:
        streams = []
        for _ in range(3):
            one = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
            one.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(100).startswith(b"HTTP/1.1 200")
            streams.append(one)
    for one in streams:
        one.settimeout(5)
        while one.recv(1 << 16):
            pass
        one.close()


def test_curl_follows(world: World) -> None:
    """As in the docs."""
    with served(world) as url:
        process = subprocess.Popen(
            ["curl", "-sN", f"{url}/api/v1/events?limit=0"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            told = events(line.rstrip("\n") for line in process.stdout)
            assert next(told).kind == "snapshot"
            world.place(30)
            world.monitor.look()
            assert next(told).data["changed"] == 1
        finally:
            process.kill()
            process.wait()


def test_the_thread_ends_when_nobody_needs_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "LINGER_S", 0.1)
    monkeypatch.setattr(bells, "TICK_S", 0.05)
    bell = Bell(world.monitor, numbers)
    bell.follow()
    assert bell.since(bell.compared) == []
    bell.unfollow()
    until = time.monotonic() + 20
    while bell._thread is not None and time.monotonic() < until:
        time.sleep(0.02)
    assert bell._thread is None
    assert bell.since(1) is None
