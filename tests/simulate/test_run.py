"""Files: the same bytes every time, the same spans in every format, bounded memory."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import msgspec
import pytest
import zstandard
from google.protobuf import json_format, proto
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest as Request,
)

from collectors.simulate import (
    ScenarioError,
    chunks,
    parse,
    read_truth,
    simulate,
    to_json,
    to_protobuf,
    write,
)

URI = "sim:electronics?instances=40&seed=5&faults=lost:0.1,handler-error:0.1"


@pytest.mark.parametrize("name", ["a.jsonl", "a.pb", "a.jsonl.gz", "a.jsonl.zst", "a.binpb.zst"])
@pytest.mark.parametrize("shape", ["link", "batch"])
def test_the_same_scenario_gives_the_same_bytes(tmp_path: Path, name: str, shape: str):
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        write(parse(f"{URI}&shape={shape}"), folder / name)
    for file in (name, f"{name}.truth.jsonl"):
        assert (first / file).read_bytes() == (second / file).read_bytes()
    assert sorted(p.name for p in first.iterdir()) == [name, f"{name}.truth.jsonl"]


def test_another_seed_gives_other_spans(tmp_path: Path):
    write(parse("sim:order?instances=5&seed=1"), tmp_path / "1.jsonl")
    write(parse("sim:order?instances=5&seed=2"), tmp_path / "2.jsonl")
    assert (tmp_path / "1.jsonl").read_bytes() != (tmp_path / "2.jsonl").read_bytes()


def test_protobuf_and_json_hold_the_same_spans():
    for request in simulate(parse(URI + "&shape=batch"))[0]:
        message = Request.FromString(to_protobuf(request))
        told = json_format.MessageToDict(message, use_integers_for_enums=True)
        wanted = msgspec.json.decode(to_json(request))
        assert _plain(told) == _plain(wanted)


def _plain(value: object) -> object:
    """Without the differences that both encodings allow: base64 ids, and absent defaults."""
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        kept = {k: _plain(v) for k, v in value.items() if k not in ids}
        return {k: v for k, v in kept.items() if v not in ("", 0, [], {}, None)}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def test_compressed_files_hold_the_same(tmp_path: Path):
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        write(parse(URI), tmp_path / name)
    plain = (tmp_path / "a.jsonl").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == plain
    with zstandard.open(tmp_path / "a.jsonl.zst", "rb") as source:
        assert source.read() == plain


def test_protobuf_files_are_requests_after_their_length(tmp_path: Path):
    header = write(parse(URI), tmp_path / "a.pb")
    spans = 0
    with (tmp_path / "a.pb").open("rb") as source:
        while request := proto.parse_length_prefixed(Request, source):
            spans += sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
    assert spans == header.counts["spans"]


def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(ScenarioError, match=r"\.jsonl"):
        write(parse(URI), tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())


def test_truth_is_what_simulate_tells(tmp_path: Path):
    scenario = parse(URI)
    written = write(scenario, tmp_path / "a.jsonl")
    header, truth = read_truth(tmp_path / "a.jsonl")
    assert header == written == simulate(scenario)[1].header
    assert truth == list(simulate(scenario)[1])
    assert header.counts["instances"] == len(truth) == 40
    assert header.as_of_ns == max(t.end_ns for t in truth)


def test_an_endless_scenario_starts_at_once():
    """Only what is asked for is made: ten million instances cost as much as one chunk."""
    first = list(islice(chunks(parse("sim:order?instances=10000000")), 2))
    assert [len(chunk.truth) for chunk in first] == [500, 500]


def test_requests_are_as_small_as_an_exporter_makes_them():
    requests, _ = simulate(parse("sim:order?instances=200&faults=retry-storm:1"))
    assert max(request.spans for request in requests) == 512
