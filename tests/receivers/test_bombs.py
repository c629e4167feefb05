"""What is sent in bad faith costs no memory: the peak of a real `serve`, read from the kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.bombs import Cost, bombs, measured, together
from benchmarks.hostile import JSON, PROTOBUF, Reply, over_grpc, over_http
from benchmarks.ingest import children, serving
from tests.receivers.test_http import as_json, as_protobuf

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists() or sys.platform != "linux",
    reason="only Linux tells the peak of another process",
)

LIMIT = 64  # MB of a body, unpacked
MARGIN = 32
SIZE = 2 << 30  # bytes a bomb unpacks to; in 9 MB at the lowest level
Measure = Callable[[str], Cost]


@pytest.fixture(scope="module")
def measure() -> Iterator[Measure]:
    """One `serve` for all of them, which has answered a good request on each port before."""
    attacks = bombs(SIZE)
    with serving() as (pid, ports):

        def good() -> list[Reply]:
            return [
                over_http(ports["http"], as_json("a"), JSON),
                over_http(ports["http"], as_protobuf("b"), PROTOBUF),
                over_grpc(ports["grpc"], as_protobuf("c")),
            ]

        def run(name: str) -> Cost:
            (attack,) = (one for known, one in attacks.items() if known.startswith(name))
            cost = measured(name, attack, [pid, *children(pid)], ports)
            assert [reply.status for reply in good()] == ["200", "200", "0"]
            return cost

        together(lambda: good()[0])
        yield run


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("HTTP, gzip, 2 GiB in 9 MB", "413"),
        ("HTTP, gzip, 2 GiB in 2 MB", "413"),
        ("HTTP, zstd", "413"),
        ("the same, chunked", "413"),
        ("Zipkin, gzip", "413"),
        ("HTTP, gzip, 8 at once", "8 x 413"),
        ("HTTP, 100 MB announced", "413"),
    ],
)
def test_a_bomb_costs_a_fraction_of_the_limit(measure: Measure, name: str, answers: str) -> None:
    """It is measured before it is kept: one takes 6 MB, and so do eight as many times."""
    cost = measure(name)
    assert cost.answers == answers
    assert cost.receiver < LIMIT * 3 / 4, cost
    assert cost.watcher < MARGIN, cost


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("HTTP, 100 MB chunked", "413"),
        ("gRPC, gzip, 2 GiB in 9 MB", "8"),
        ("gRPC, gzip, 2 GiB in 2 MB", "8"),
        ("gRPC, 100 MB", "8"),
    ],
)
def test_the_peak_is_the_limit_and_a_margin(measure: Measure, name: str, answers: str) -> None:
    """What must be held until it is too much: the limit, held once."""
    cost = measure(name)
    assert cost.answers == answers
    assert cost.receiver < LIMIT + MARGIN, cost
    assert cost.watcher < MARGIN, cost
