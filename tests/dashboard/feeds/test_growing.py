"""A folder is a recording while its spans are old, and followed while they are recent."""

from __future__ import annotations

import time
from pathlib import Path

from analyzer import analyze
from collectors.simulate import parse, target, write
from tests.collectors.test_growing import lines
from tests.dashboard.feeds.test_live import FAST
from tests.dashboard.feeds.watching import running
from tui.dashboard.feed import Phase
from tui.dashboard.feeds.choose import feed_of
from tui.dashboard.feeds.growing import GrowingFeed


def record(path: Path, scenario: str) -> None:
    write(parse(scenario), target(path))
    Path(f"{path}.truth.jsonl").unlink()


def now(text: bytes) -> bytes:
    """The spans of `lines`, ended just now."""
    at = time.time_ns()
    second = 1_000_000_000
    return text.replace(str(1_700_000_000 * second).encode(), str(at - 5_000_000).encode()).replace(
        str(1_700_000_001 * second).encode(), str(at).encode()
    )


def test_an_old_recording_is_judged_as_analyze_does(tmp_path: Path) -> None:
    """As of its own end; what is added to it is read too."""
    record(tmp_path / "a.jsonl", "sim:order?instances=40&seed=1&faults=lost:0.1")
    with running(GrowingFeed(tmp_path, FAST)) as watch:
        watch.until_phase(Phase.ENDED)
        assert watch.states == analyze(tmp_path).by_state
        record(tmp_path / "b.jsonl", "sim:order?instances=30&seed=2")
        watch.until(lambda: sum(watch.states.values()) == 70)
        watch.until_phase(Phase.ENDED)
        batch = analyze(tmp_path)
        assert watch.states == batch.by_state
        assert watch.feed.snapshot is not None
        assert watch.feed.snapshot.as_of_ns == batch.as_of_ns
        name = batch.instances["id"][5]
        assert watch.feed.instance(name)["instance"]["instance"] == name


def test_recent_spans_are_followed(tmp_path: Path) -> None:
    """From an empty folder on; "now" is the clock."""
    with running(GrowingFeed(tmp_path, FAST)) as watch:
        watch.until(lambda: len(watch.generations) == 1)
        path = tmp_path / "a.jsonl"
        path.write_bytes(now(lines(1, 2)))
        watch.until(lambda: sum(watch.states.values()) == 2)
        assert watch.feed.status.phase is Phase.LIVE
        for number in (3, 4):
            with path.open("ab") as file:
                file.write(now(lines(number)))
            watch.until(lambda number=number: sum(watch.states.values()) == number)  # type: ignore[misc]
        with path.open("ab") as file:
            file.write(b'{"resourceSpans":[{\n')
        watch.until(lambda: watch.feed.status.dropped == 1)
        snapshot = watch.feed.snapshot
        assert snapshot is not None
        assert abs(snapshot.as_of_ns - time.time_ns()) < 10_000_000_000
        assert watch.generations == sorted(watch.generations)


def test_folders_and_plain_files_are_followed_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    record(path, "sim:order?instances=2")
    for source in (str(path), str(tmp_path)):
        assert isinstance(feed_of([source], FAST), GrowingFeed)
    for sources in ([f"{tmp_path}/*.jsonl"], [str(path), str(tmp_path)], ["sim:order"]):
        assert not isinstance(feed_of(sources, FAST), GrowingFeed)
