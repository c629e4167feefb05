"""`--connect`: the server's looks arrive whole; outages pass by themselves; strangers are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from analyzer.alerts.outbox import Outbox
from analyzer.alerts.silences import Silence
from analyzer.monitor.api import routes
from analyzer.monitor.memory import resident
from analyzer.monitor.monitor import Monitor, Settings
from analyzer.monitor.transfer import FORMAT, Packed, Unusable, chosen, decoded, encoded
from collectors.receivers.http_server import HttpServer, Listen
from collectors.receivers.web import Access, Answer, Call, Web
from collectors.store.store import Store
from tests.dashboard.feeds.test_live import fill
from tests.dashboard.feeds.watching import running
from tui.dashboard.feed import Phase
from tui.dashboard.feeds.connect import ConnectFeed, checked
from tui.dashboard.feeds.made import of_look
from tui.dashboard.feeds.threaded import FeedError

SILENCE = Silence("1", (("kind", "late"),), 1 << 62, "me", "known")


class Server:
    """A monitor of a small store, and its API while `open`."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "s", compacting=False)
        fill(self.store, "sim:order?instances=60&seed=1&faults=lost:0.1")
        self.outbox = Outbox(folder / "alerts.db")
        self.outbox.silence(SILENCE)
        self.monitor = Monitor(folder / "s", Settings(), self.outbox)
        self.port = 0

    @contextmanager
    def open(self, token: str = "", more: dict[Any, Any] | None = None) -> Iterator[str]:
        web = Web(routes(self.monitor, self.outbox) | (more or {}), Access(token))
        server = HttpServer([Listen("API", "127.0.0.1", self.port, web)])
        server.start()
        self.port = server.listens[0].port
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            server.stop(0.1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.store.close()
    found.outbox.close()


def test_what_the_server_sees_arrives_whole(server: Server) -> None:
    """Every field of the snapshot; and the next look comes when there is one."""
    look = server.monitor.look()
    with server.open() as url, running(ConnectFeed(url + "/")) as watch:
        watch.until(lambda: len(watch.generations) > 0)
        snapshot = watch.feed.snapshot
        assert snapshot is not None
        there = of_look(look, server.outbox)
        for name in ("instances", "services", "service_edges"):
            assert getattr(snapshot, name).equals(getattr(there, name)), name
        plain: dict[str, Any] = {"instances": 0, "services": 0, "service_edges": 0}
        assert replace(snapshot, **plain) == replace(there, **plain)
        assert snapshot.silences == (SILENCE,)
        assert snapshot.findings
        fill(server.store, "sim:order?instances=30&seed=2")
        server.monitor.look()
        watch.until(lambda: sum(watch.states.values()) == 90)
        assert watch.generations == [1, 2]
        assert watch.feed.status.source == url


def test_one_instance_is_asked_of_the_server(server: Server) -> None:
    look = server.monitor.look()
    name = look.analysis.instances["id"][3]
    with server.open() as url:
        feed = ConnectFeed(url)
        assert feed.instance(name)["instance"]["instance"] == name
        with pytest.raises(LookupError, match="no instance"):
            feed.instance("nobody\udcff")
    with pytest.raises(OSError, match="is not reached"):
        feed.instance(name)


def test_an_outage_passes_by_itself(server: Server) -> None:
    """Disconnected, the last snapshot stays, then live again: also from a server begun anew."""
    server.monitor.look()
    with server.open() as url:
        feed = ConnectFeed(url)
    with running(feed) as watch:
        watch.until_phase(Phase.DISCONNECTED)
        said = feed.status.message
        assert f"{url} is not reached: Connection refused; tries again in" in said
        with server.open():
            watch.until(lambda: len(watch.generations) == 1)
        watch.until_phase(Phase.DISCONNECTED)
        assert feed.snapshot is not None
        with server.open():
            watch.until(lambda: len(watch.generations) == 2)
            assert feed.status.phase is not Phase.DISCONNECTED


def test_a_server_that_still_reads_is_waited_for(server: Server) -> None:
    with server.open() as url, running(ConnectFeed(url)) as watch:
        watch.until_phase(Phase.DISCONNECTED)
        assert "the first look is not done yet" in watch.feed.status.message
        server.monitor.look()
        watch.until(lambda: len(watch.generations) == 1)


def test_the_token_is_sent_and_a_wrong_one_is_told(server: Server) -> None:
    server.monitor.look()
    with server.open("secret") as url:
        with running(ConnectFeed(url, "secret")) as watch:
            watch.until(lambda: len(watch.generations) == 1)
        for token in ("", "wrong"):
            with running(ConnectFeed(url, token)) as watch:
                watch.until_phase(Phase.FAILED)
                assert "401" in watch.feed.status.message


def _answering(body: bytes, packed: bool = False) -> dict[Any, Any]:
    async def handler(call: Call) -> Answer:
        headers = (("content-encoding", "zstd"),) if packed else ()
        return Answer(200, body, headers=headers)

    return {("GET", "/api/v1/look"): handler}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "no look of choreoscope"),
        (
            msgspec.msgpack.encode({"format": FORMAT + 1, "version": "9.9", "body": None}),
            "versions have to match",
        ),
        (
            msgspec.msgpack.encode({"format": FORMAT, "version": "9.9", "body": {"x": 1}}),
            "versions have to match",
        ),
    ],
)
def test_another_server_is_told(server: Server, body: bytes, said: str) -> None:
    with server.open(more=_answering(body)) as url, running(ConnectFeed(url)) as watch:
        watch.until_phase(Phase.FAILED)
        assert said in watch.feed.status.message


def test_a_bomb_is_refused(server: Server) -> None:
    """A gigabyte of nothing in some kilobytes: no look, no crash."""
    packer = zstandard.ZstdCompressor(19).compressobj()
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    before = resident()
    with server.open(more=_answering(bomb, True)) as url, running(ConnectFeed(url)) as watch:
        watch.until_phase(Phase.DISCONNECTED)
        assert watch.feed.status.memory_bytes - before < 600 << 20


def test_no_api_is_told(server: Server) -> None:
    with server.open() as url, running(ConnectFeed(url + "/elsewhere")) as watch:
        watch.until_phase(Phase.FAILED)
        assert "is not the API of a choreoscope" in watch.feed.status.message


def test_a_black_hole_does_not_hold_up_the_end() -> None:
    """A server that takes the connection and says nothing: `stop` returns in time."""
    import socket

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        running(ConnectFeed(f"http://127.0.0.1:{silent.getsockname()[1]}")) as watch,
    ):
        threading.Event().wait(0.3)
        assert watch.feed.status.phase is Phase.LOADING


@pytest.mark.parametrize(
    "url",
    ["", "localhost:4320", "ftp://x", "http://", "http://a:b@c", "http://x:99999", "http://x?y"],
)
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(FeedError):
        checked(url)


def test_a_damaged_message_is_refused(server: Server) -> None:
    """Cut anywhere, it raises Unusable and nothing else."""
    whole = encoded(server.monitor.look(), server.outbox, "s")
    assert decoded(whole).message.session == "s"
    for cut in range(0, len(whole) - 1, 997):
        with pytest.raises(Unusable):
            decoded(whole[:cut])


def test_the_best_encoding_is_chosen() -> None:
    assert chosen("gzip, deflate, br, zstd") == "zstd"
    assert chosen("gzip;q=1.0, zstd;q=0") == "gzip"
    assert chosen("identity") == chosen("") == ""


def test_a_hundred_thousand_instances_pass_in_a_second_or_two(server: Server) -> None:
    """Of CPU, on each side, packing included: half a second where the processor is not shared."""
    import time

    import polars as pl

    look = server.monitor.look()
    rows = pl.int_range(100_000, eager=True)
    few = look.analysis.instances
    many = few[(rows % few.height).cast(pl.UInt32)].with_columns(
        id=rows.hash(1).cast(pl.String) + rows.hash(2).cast(pl.String)
    )
    findings = tuple(look.analysis.findings[0] for _ in range(10_000))
    analysis = replace(look.analysis, instances=many, findings=findings)
    begin = time.thread_time()
    body = Packed(server.outbox).of(replace(look, analysis=analysis), "zstd")
    made = time.thread_time()
    read = decoded(zstandard.decompress(body))
    assert read.frames["instances"].equals(many)
    assert len(read.message.findings) == 10_000
    assert made - begin < 3
    assert time.thread_time() - made < 3
