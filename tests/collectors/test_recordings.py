"""Real recordings are read whole."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from collectors import Recording, read


def traces(recording: Recording) -> int:
    return recording.spans.select("trace_hi", "trace_lo").n_unique()


@pytest.mark.parametrize(
    ("pattern", "spans", "count"),
    [
        ("otlp_demo/test_data.json", 547, 141),
        ("jaeger_traceweaver", 1100, 75),
        ("ob_*.jsonl", 1069, 18),
        ("tt_*.jsonl", 4595, 62),
        ("dd_*.jsonl", 59, 58),
    ],
)
def test_counts(shared_data: Path, pattern: str, spans: int, count: int) -> None:
    found = read([f"{shared_data}/{pattern}"])
    assert (found.intake.spans, traces(found)) == (spans, count)
    assert not found.intake.damaged
    assert found.intake.conflicts == found.intake.duplicates == 0


def test_demo(shared_data: Path) -> None:
    found = read([shared_data / "otlp_demo" / "test_data.json"])
    assert found.spans["service"].n_unique() == 8
    assert found.links["span"].n_unique() == 53
    linked = found.links.join(found.spans, on=["trace_hi", "trace_lo", "span_id"], how="anti")
    assert not len(linked)
    calls = found.spans.filter(pl.col("rpc_method") == "GetCart")
    assert set(calls["rpc_status"].drop_nulls()) == {14}


def test_datadog(shared_data: Path) -> None:
    found = read([f"{shared_data}/dd_*.jsonl"])
    assert found.spans["kind"].value_counts().sort("kind").rows() == [(4, 34), (5, 25)]
    assert len(found.links) == 3
    assert found.spans["destination"].null_count() == 0
    assert "None" not in found.spans["message_key"].to_list()


def test_zipkin_messaging(shared_data: Path) -> None:
    found = read([shared_data / "zipkin" / "messaging-kafka.json"]).spans
    sent = found.filter(pl.col("operation") == "send")
    assert sent["destination"].value_counts().sort("count", "destination").rows() == [
        ("central.messages", 3),
        ("command-messages", 3),
        ("messages", 3),
    ]
    assert found.filter(pl.col("status") == 2)["service"].to_list() == ["serviceb"] * 3


@pytest.mark.parametrize("folder", ["zipkin", "jaeger_traceweaver"])
def test_no_parent_is_lost_by_decoding(shared_data: Path, folder: str) -> None:
    """Ids stay unique, and no parent id points at its own span."""
    found = read([shared_data / folder])
    ids = ["trace_hi", "trace_lo", "span_id"]
    assert not found.spans.select(ids).is_duplicated().any()
    assert not (found.spans["parent_id"] == found.spans["span_id"]).any()
    assert found.intake.conflicts == 0


def test_everything_together(shared_data: Path) -> None:
    found = read([shared_data])
    assert found.intake.formats == ("jaeger-json", "otlp-json", "zipkin-json")
    assert not found.intake.damaged
