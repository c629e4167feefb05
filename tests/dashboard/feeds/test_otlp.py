"""`--otlp`: what a client sends is on the screen; what is in the way is told before it."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest

from analyzer import analyze
from collectors.simulate import parse
from collectors.simulate.otlp import Request, to_json, to_protobuf
from collectors.simulate.run import simulate
from tests.dashboard.feeds.test_live import FAST
from tests.dashboard.feeds.watching import running
from tui.dashboard.feed import Phase
from tui.dashboard.feeds.otlp import OtlpFeed
from tui.dashboard.feeds.threaded import FeedError


def requests() -> list[Request]:
    return list(simulate(parse("sim:order?instances=40&seed=2&faults=lost:0.1"))[0])


def address(feed: OtlpFeed, number: int) -> str:
    line = feed.status.endpoints[number].split()[0]
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT=")
    return line.partition("=")[2]


def test_what_is_sent_is_shown(tmp_path: Path) -> None:
    """Over gRPC and HTTP, to where the endpoint lines say; kept where it should be."""
    import grpc
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

    feed = OtlpFeed(0, str(tmp_path / "kept"), FAST)
    with running(feed) as watch:
        watch.until(lambda: len(watch.generations) > 0)
        assert feed.status.phase is Phase.LIVE
        assert feed.snapshot is not None
        assert feed.snapshot.instances.height == 0
        first, *others = requests()
        with grpc.insecure_channel(address(feed, 0).removeprefix("http://")) as channel:
            stub = trace_service_pb2_grpc.TraceServiceStub(channel)
            message = trace_service_pb2.ExportTraceServiceRequest.FromString(to_protobuf(first))
            stub.Export(message)
        for request in others:
            sent = httpx.post(
                address(feed, 1) + "/v1/traces",
                content=to_json(request),
                headers={"content-type": "application/json"},
            )
            assert sent.status_code == 200
        watch.until(lambda: sum(watch.states.values()) == 40)
        httpx.post(address(feed, 1) + "/v1/traces", content=b"{", headers={"content-type": "text"})
        watch.until(lambda: feed.status.dropped == 1)
        at = feed.snapshot.as_of_ns
        shown = watch.states
    kept = analyze(f"store:{tmp_path / 'kept'}", as_of_ns=at)
    assert sum(kept.by_state.values()) == sum(shown.values())


def test_nothing_stays_where_nothing_is_to_be_kept() -> None:
    feed = OtlpFeed(0, None, FAST)
    folder = feed._folder
    with running(feed) as watch:
        watch.until(lambda: len(watch.generations) > 0)
        assert folder.is_dir()
    until = time.monotonic() + 60
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not folder.exists()


def test_a_port_or_a_store_that_is_taken_is_told_at_once(tmp_path: Path) -> None:
    """And nothing stays open or locked behind it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for wanted in (port, port - 1):
            with pytest.raises(FeedError, match=rf"cannot listen on 127.0.0.1:{port}"):
                OtlpFeed(wanted, str(tmp_path / "s"), FAST)
    feed = OtlpFeed(0, str(tmp_path / "s"), FAST)
    with pytest.raises(FeedError, match="in use"):
        OtlpFeed(0, str(tmp_path / "s"), FAST)
    feed.stop()
    feed.release()  # what `stop` began, to its end
    OtlpFeed(0, str(tmp_path / "s"), FAST).stop()
