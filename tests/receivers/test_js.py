"""What the OpenTelemetry JS SDK sends is what is stored: JSON, protobuf, gRPC, gzip, Zipkin."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.receivers.running import running
from tests.store.requests import stored

HERE = Path(__file__).parent / "js"
PATIENCE = 240  # seconds for the packages, which are fetched once


@pytest.fixture(scope="session")
def modules(request: pytest.FixtureRequest) -> Path:
    """A folder with the packages, kept between runs; skips where they cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no node and npm here")
    lock = (HERE / "package-lock.json").read_bytes()
    folder = request.config.cache.mkdir("js-" + hashlib.sha256(lock).hexdigest()[:12])
    if not (folder / "done").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=PATIENCE)
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", b"") or b"").decode(errors="replace")[-300:]
            pytest.skip(f"the JS packages cannot be had: {type(error).__name__} {said}")
        (folder / "done").touch()
    return folder


def sent(modules: Path, **addresses: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["node", str(HERE / "send.mjs")],
        env={**os.environ, "MODULES": str(modules), **addresses},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_what_the_js_sdk_sends_is_what_is_stored(tmp_path: Path, modules: Path) -> None:
    """Ids, parents, times to the nanosecond (Zipkin: microsecond), kinds, links, errors."""
    with running(tmp_path / "s") as server:
        spans = sent(modules, HTTP=server.http, GRPC=server.grpc, ZIPKIN=server.zipkin)
        counts = server.receivers.admission.counts
        assert (counts.requests, counts.spans, dict(counts.refused)) == (7, 14, {})
    recording = stored(tmp_path / "s")
    rows = {row["span_id"]: row for row in recording.spans.to_dicts()}
    assert len(rows) == len(spans) == 14
    for span in spans:
        row = rows[int(span["spanId"], 16)]
        assert f"{row['trace_hi']:016x}{row['trace_lo']:016x}" == span["traceId"]
        assert (row["service"], row["name"]) == (span["service"], span["name"])
        assert row["parent_id"] == int(span["parent"] or "0", 16)
        slack = 1000 if span["service"] == "js-zipkin" else 0
        assert abs(row["start_ns"] - int(span["start"])) <= slack
        assert abs(row["end_ns"] - int(span["end"])) <= 2 * slack
        consumer = span["name"] == "process"
        assert row["kind"] == (5 if consumer else 4)
        assert row["status"] == (2 if consumer else 0)
        if not consumer:
            assert (row["system"], row["destination"]) == ("kafka", "orders.placed")
            assert row["message_id"] == f"m-{span['service']}"
    assert len(recording.links) == 6, "Zipkin has no links"
    numbers = recording.attributes.filter(pl.col("key").cast(pl.String).str.starts_with("order."))
    values = set(numbers.select(pl.col("key").cast(pl.String), "value").iter_rows())
    assert values >= {("order.lines", "3"), ("order.total", "19.5"), ("order.gift", "true")}
