"""A recording on the dashboard is what `analyze` says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer import analyze
from collectors.simulate import parse, target, write
from tests.dashboard.feeds.watching import running
from tui.dashboard.feed import Phase
from tui.dashboard.feeds.recording import RecordingFeed

SCENARIO = "sim:order?instances=200&seed=5&faults=lost:0.1"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "order.jsonl"
    write(parse(SCENARIO), target(path))
    Path(f"{path}.truth.jsonl").unlink()
    return path


def test_it_says_what_analyze_says(recorded: Path) -> None:
    """Frames, findings and "now" are the batch's; a file, its folder, a glob and a simulation."""
    batch = analyze(recorded)
    for source in (str(recorded), str(recorded.parent), f"{recorded.parent}/*.jsonl", SCENARIO):
        with running(RecordingFeed([source])) as watch:
            watch.until_phase(Phase.ENDED)
            snapshot = watch.feed.snapshot
            assert snapshot is not None
            assert snapshot.instances.equals(batch.instances)
            assert snapshot.findings == batch.findings
            assert snapshot.as_of_ns == batch.as_of_ns
            assert watch.feed.status.source == source
            assert watch.feed.status.memory_bytes > 1_000_000


def test_loading_shows_how_far_it_is(recorded: Path) -> None:
    """The share never falls, and the stages have names."""
    with running(RecordingFeed([str(recorded)] * 2)) as watch:
        assert watch.feed.snapshot is None or watch.feed.status.phase is Phase.ENDED
        watch.until_phase(Phase.ENDED)
        shares = [s.progress for s in watch.told if s.progress is not None]
        assert shares
        assert shares == sorted(shares)
        assert {"reading", "analysing: stitching"} <= {s.message for s in watch.told}
        assert watch.feed.status.source == f"{recorded} +1"


def test_one_instance_is_what_show_prints(recorded: Path) -> None:
    """The same document as `show --format json`; LookupError names what there is."""
    import json

    from analyzer.reporters.instance_json import render

    batch = analyze(recorded)
    name = batch.instances["id"][7]
    feed = RecordingFeed([str(recorded)])
    with pytest.raises(LookupError):
        feed.instance(name)
    with running(feed) as watch:
        watch.until_phase(Phase.ENDED)
        assert feed.instance(name) == json.loads(render(batch.instance(name)))
        with pytest.raises(LookupError, match="there are"):
            feed.instance("nobody")


def test_a_bad_path_fails_with_the_words_of_analyze(recorded: Path) -> None:
    missing = str(recorded.with_name("ordr.jsonl"))
    with running(RecordingFeed([missing])) as watch:
        watch.until_phase(Phase.FAILED)
        assert watch.feed.status.message == f"{missing} does not exist; did you mean {recorded}?"
        assert watch.feed.snapshot is None


def test_what_could_not_be_read_is_counted(recorded: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(recorded.read_bytes() + b'{"resourceSpans":[{"sco\n')
    with running(RecordingFeed([str(torn)])) as watch:
        watch.until_phase(Phase.ENDED)
        assert watch.feed.status.dropped == 1
        assert "1 could not be read" in watch.feed.status.message


def test_stop_ends_a_reading_at_once() -> None:
    """Also one that would take minutes."""
    with running(RecordingFeed(["sim:order?instances=3000000"])) as watch:
        watch.until(lambda: len(watch.told) > 1)
