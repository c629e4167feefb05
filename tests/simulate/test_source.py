"""A scenario is a source like a file: `sim:order?instances=1000&seed=7&faults=lost:0.02`."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors import SourceError, read
from collectors.simulate import chunks, parse, write
from collectors.simulate.stream import SimulatedFile

URI = "sim:order?instances=60&seed=7&faults=lost:0.1,crash:0.1"


@pytest.mark.parametrize("shape", ["child", "link", "key", "batch"])
def test_a_scenario_reads_as_the_file_that_it_writes(tmp_path: Path, shape: str) -> None:
    uri = f"{URI}&shape={shape}"
    write(parse(uri), tmp_path / "a.jsonl")
    simulated, written = read([uri]), read([tmp_path / "a.jsonl"])
    for name in ("spans", "links", "events", "attributes", "link_attributes"):
        assert getattr(simulated, name).equals(getattr(written, name)), name
    assert simulated.intake.sources == (uri,)
    assert simulated.intake.formats == written.intake.formats


def test_reading_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read([URI])
    assert list(tmp_path.iterdir()) == []


def test_scenarios_stand_beside_files_and_beside_each_other(tmp_path: Path) -> None:
    write(parse("sim:order?instances=5&seed=1"), tmp_path / "a.jsonl")
    both = read([tmp_path / "a.jsonl", "sim:login?instances=5", "sim:login?instances=5"])
    apart = [read([one]).spans.height for one in (tmp_path / "a.jsonl", "sim:login?instances=5")]
    assert both.spans.height == sum(apart)


def test_a_scenario_of_ten_million_instances_opens_at_once() -> None:
    first = SimulatedFile(parse("sim:order?instances=10000000")).read(1000)
    assert len(first) == 1000
    assert first.startswith(b'{"resourceSpans":')


def test_reads_of_any_size_give_the_same_bytes() -> None:
    scenario = parse("sim:order?instances=3")
    whole = SimulatedFile(scenario).readall()
    bits, stream = [], SimulatedFile(scenario)
    while piece := stream.read(7):
        bits.append(piece)
    assert b"".join(bits) == whole
    assert whole.count(b"\n") == sum(len(chunk.requests) for chunk in chunks(scenario))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("sim:ordr", "did you mean 'order'"),
        ("sim:order?faults=lots:0.1", "did you mean 'lost'"),
        ("sim:order?instancs=4", "did you mean 'instances'"),
        ("sim:login?faults=lost:0.1", "it can have crash"),
    ],
)
def test_a_mistyped_scenario_is_told_what_is_right(uri: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read([uri])
