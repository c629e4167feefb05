"""Parquet and Arrow IPC give back exactly what was written, or say what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from collectors import Recording, read, recording_from, write_ipc, write_parquet
from collectors.columnar import _table
from collectors.decoders import otlp_json
from tests.collectors.traces import REQUESTS, assert_same, line


def write_stream(recording: Recording, path: Path) -> None:
    table = _table(recording)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS: list[Callable[[Recording, Path], None]] = [write_parquet, write_ipc, write_stream]


@settings(deadline=None, max_examples=15, suppress_health_check=[*HealthCheck])
@given(data=REQUESTS)
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    recording = recording_from([otlp_json.decode([line(data)])])
    for number, write in enumerate(WRITERS):
        path = tmp_path_factory.mktemp("columnar") / str(number)
        write(recording, path)
        assert_same(read([path]), recording)


@pytest.fixture
def sample() -> Recording:
    from tests.collectors.test_json_lines import request, span

    spans = [
        span(n, attributes=[{"key": "order.id", "value": {"stringValue": f"o-{n}"}}])
        for n in range(1, 2000)
    ]
    return recording_from([otlp_json.decode([request(*spans)])])


def test_a_flipped_byte_in_a_page_is_noticed(sample: Recording, tmp_path: Path) -> None:
    """With page checksums no flip passes silently."""
    path = tmp_path / "x.parquet"
    write_parquet(sample, path)
    data = path.read_bytes()
    for place in range(200, len(data) // 2, len(data) // 40):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        found = read([path])
        if not found.intake.damaged:
            assert_same(found, sample)


@pytest.mark.parametrize("write", WRITERS[:2])
def test_truncated_files_are_refused_cleanly(
    sample: Recording, tmp_path: Path, write: Callable[[Recording, Path], None]
) -> None:
    write(sample, tmp_path / "x")
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-100])
    found = read([tmp_path / "x"])
    assert found.intake.spans == 0
    assert sum(found.intake.rejected.values()) == 1


def test_foreign_parquet_says_what_is_missing(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "x.parquet")
    found = read([tmp_path / "x.parquet"])
    assert dict(found.intake.rejected) == {"invalid-parquet": 1}
    assert "trace_hi" in found.intake.problems[0].detail


@pytest.mark.parametrize("magic", [b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff"])
def test_rubbish_behind_the_magic_is_refused_cleanly(tmp_path: Path, magic: bytes) -> None:
    (tmp_path / "x").write_bytes(magic + bytes(range(256)) * 4)
    assert sum(read([tmp_path / "x"]).intake.rejected.values()) == 1


def test_compressed_parquet_and_several_formats_together(sample: Recording, tmp_path: Path) -> None:
    import gzip

    write_parquet(sample, tmp_path / "x.parquet")
    (tmp_path / "y").write_bytes(gzip.compress((tmp_path / "x.parquet").read_bytes()))
    write_ipc(sample, tmp_path / "z.arrow")
    found = read([tmp_path])
    assert_same(found, sample)
    assert found.intake.duplicates == 2 * len(sample.spans)
    assert found.intake.formats == ("arrow-file", "parquet")
