"""The acceptance list: what the analysis has to say of the recordings in ../shared/data."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import networkx as nx
import numpy as np
import polars as pl
import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from collectors.schema import Kind, Status
from tests.support.spans import COUPLING, kinds, of_kind
from tui import cli

NAMES = {
    "demo": "otlp_demo/test_data.json",
    "zipkin": "zipkin/messaging-kafka.json",
    "jaeger": "jaeger_traceweaver",
    "boutique": "ob_2022-08-22_0510_checkout-return_PlaceOrder-only.jsonl",
    "train": "tt_faultfree_2023-01-30_1138.jsonl",
    "datadog": "dd_kafka_aiokafka.jsonl",
}
Analyses = Callable[[str], Analysis]


@pytest.fixture(scope="module")
def analyses(shared_data: Path) -> Analyses:
    """Each recording, analysed once."""
    kept: dict[str, Analysis] = {}

    def get(name: str) -> Analysis:
        if name not in kept:
            kept[name] = analyze(shared_data / NAMES[name])
        return kept[name]

    return get


def traces(analysis: Analysis) -> int:
    return analysis.recording.spans.select("trace_hi", "trace_lo").n_unique()


def notes(analysis: Analysis, kind: str) -> list[str]:
    return [note.message for note in analysis.data_notes if note.kind == kind]


# --- otlp_demo ---------------------------------------------------------------------------------


def test_demo_counts(analyses: Analyses) -> None:
    found = analyses("demo")
    spans = found.recording.spans
    assert (len(spans), traces(found), spans["service"].n_unique()) == (547, 141, 8)
    assert found.recording.links["span"].n_unique() == 53
    assert len(found.instances) == 88


def test_demo_links_all_resolve_and_one_parent_is_missing(analyses: Analyses) -> None:
    found = analyses("demo")
    assert not notes(found, "unresolved-links")
    (links,) = notes(found, "links")
    assert links.startswith("53 spans with links; all ")
    (missing,) = [note for note in found.data_notes if note.kind == "missing-parents"]
    assert missing.count == 1
    assert "b6482e7d0a07f446" in missing.message


def test_demo_says_that_cartservice_emits_nothing(analyses: Analyses) -> None:
    found = analyses("demo")
    silent = [note for note in found.data_notes if note.kind == "silent-service"]
    assert [note.services for note in silent] == [("cartservice",)]
    assert found.services.filter(pl.col("name") == "cartservice")["spans"].to_list() == [0]


def test_demo_every_place_order_fails_with_13_because_get_cart_answers_14(
    analyses: Analyses,
) -> None:
    found = analyses("demo")
    spans = found.recording.spans.with_row_index("row")
    served = spans.filter(
        (pl.col("kind") == Kind.SERVER)
        & pl.col("name").cast(pl.String).str.ends_with("CheckoutService/PlaceOrder")
    )
    assert served["rpc_status"].to_list() == [13] * len(served)
    assert len(served) == 4
    traces_of = {f"{hi:016x}{lo:016x}" for hi, lo in served.select("trace_hi", "trace_lo").rows()}
    told = [one for one in of_kind(found, "failed") if "CartService/GetCart" in one.message]
    told = [one for one in told if traces_of <= set(one.trace_ids)]
    (finding,) = told
    assert finding.service == "cartservice"
    assert finding.cause == "downstream-silent"
    assert "gRPC status 14" in finding.message
    assert any("PlaceOrder answers gRPC 13" in line for line in finding.causes[0].supports)


def test_demo_links_put_traces_together(analyses: Analyses) -> None:
    """141 traces in 88 instances: each of the 53 links joins one trace to another."""
    found = analyses("demo")
    assert found.instances["trace_ids"].list.len().sum() == 141
    assert (found.instances["trace_ids"].list.len() > 1).sum() > 0


# --- zipkin ------------------------------------------------------------------------------------


def test_zipkin_nine_sends_three_consumed(analyses: Analyses) -> None:
    found = analyses("zipkin")
    steps = found.steps.with_row_index("step")
    sends = steps.filter(pl.col("kind") == "send")
    assert len(sends) == 9
    consumers = steps.filter(pl.col("kind").is_in(["process", "receive"]))["step"]
    taken = found.edges.filter(pl.col("target").is_in(consumers.implode()))["source"].unique()
    per_topic = Counter(
        sends.filter(pl.col("step").is_in(taken.implode()))["destination"].cast(pl.String)
    )
    assert per_topic == {"messages": 3}


def test_zipkin_six_are_told_as_unconsumed(analyses: Analyses) -> None:
    told = of_kind(analyses("zipkin"), "unconsumed-message")
    counts = {
        one.step: int(re.match(r"(\d+) ", one.message)[1])  # type: ignore[index]
        for one in told
    }
    assert counts == {"publish command-messages": 3, "publish central.messages": 3}
    assert {one.cause for one in told} == {"no-known-consumer"}


def test_zipkin_three_errors_in_serviceb(analyses: Analyses) -> None:
    found = analyses("zipkin")
    errors = found.recording.spans.filter(pl.col("status") == Status.ERROR)
    assert errors["service"].cast(pl.String).to_list() == ["serviceb"] * 3
    (failed,) = of_kind(found, "failed")
    assert failed.service == "serviceb"
    assert "3 times" in failed.message


# --- jaeger ------------------------------------------------------------------------------------


def test_jaeger_counts_and_no_orphan(analyses: Analyses) -> None:
    found = analyses("jaeger")
    assert (traces(found), len(found.recording.spans), len(found.instances)) == (75, 1100, 75)
    assert found.by_state == {"complete": 75}
    assert kinds(found) == set()


def test_jaeger_service_graphs_are_those_of_the_files(
    analyses: Analyses, shared_data: Path
) -> None:
    """Oracle: parent and child of different processes, read straight from the JSON."""
    wanted: Counter[tuple[str, str]] = Counter()
    for path in sorted((shared_data / NAMES["jaeger"]).glob("*.json")):
        for trace in json.loads(path.read_text())["data"]:
            service = {
                span["spanID"]: trace["processes"][span["processID"]]["serviceName"]
                for span in trace["spans"]
            }
            for span in trace["spans"]:
                for reference in span.get("references", []):
                    pair = service[reference["spanID"]], service[span["spanID"]]
                    wanted[pair] += pair[0] != pair[1]
    edges = analyses("jaeger").service_edges
    assert edges["kind"].unique().to_list() == ["sync"]
    found = {(row[0], row[1]): row[2] for row in edges.select("source", "target", "calls").rows()}
    assert found == dict(+wanted)
    graph = analyses("jaeger").service_graph()
    assert nx.number_weakly_connected_components(graph) == 3


# --- online boutique ---------------------------------------------------------------------------


def test_boutique_five_paid_and_were_never_mailed(analyses: Analyses) -> None:
    found = analyses("boutique")
    assert len(found.instances) == traces(found) == 18
    told = of_kind(found, "missing-step")
    begin = sorted(trace[:8] for one in told for trace in one.trace_ids)
    assert begin == ["2a6dce04", "2f964a37", "783c34a9", "81ce740d", "b4423cdb"]
    assert kinds(found) == {"missing-step"}
    assert all("mail" in one.message.lower() for one in told)
    assert found.by_state == {"complete": 13, "stuck": 5}


def test_boutique_agrees_with_who_has_a_mail_span(analyses: Analyses) -> None:
    """Oracle: traces with a payment span and without one of the mail service."""
    spans = analyses("boutique").recording.spans
    by_trace = spans.group_by("trace_hi", "trace_lo").agg(
        names=pl.col("service").cast(pl.String).unique()
    )
    gone = by_trace.filter(
        pl.col("names").list.contains("paymentservice")
        & ~pl.col("names").list.contains("emailservice")
    )
    wanted = {f"{hi:016x}{lo:016x}" for hi, lo in gone.select("trace_hi", "trace_lo").rows()}
    told = of_kind(analyses("boutique"), "missing-step")
    assert {trace for one in told for trace in one.trace_ids} == wanted


# --- train ticket ------------------------------------------------------------------------------


def test_train_counts(analyses: Analyses) -> None:
    found = analyses("train")
    assert (traces(found), len(found.recording.spans)) == (62, 4595)
    assert len(found.service_edges) == 53


def test_train_nothing_is_stuck(analyses: Analyses) -> None:
    found = analyses("train")
    assert found.by_state == {"complete": 62}
    assert not [one for one in found.findings if one.kind not in COUPLING]


def test_train_five_messages_each_delivered_once(analyses: Analyses) -> None:
    """Every send has two consumer spans, an empty one and one with the work: one delivery."""
    found = analyses("train")
    spans = found.recording.spans
    assert (spans["kind"] == Kind.CONSUMER).sum() == 10
    steps = found.steps.with_row_index("step")
    sends = steps.filter(pl.col("kind") == "send")["step"].to_numpy()
    taken = found.edges.filter(pl.col("source").is_in(sends.tolist()))
    consumers = taken.join(steps.select("step", "kind"), left_on="target", right_on="step")
    consumers = consumers.filter(pl.col("kind_right").is_in(["process", "receive"]))
    assert sorted(consumers["source"].to_list()) == sorted(sends.tolist())
    assert len(sends) == 5
    assert not of_kind(found, "duplicate-delivery")


# --- datadog -----------------------------------------------------------------------------------


def test_datadog_counts(analyses: Analyses) -> None:
    found = analyses("datadog")
    kind = found.recording.spans["kind"].to_numpy()
    assert len(kind) == 59
    assert np.bincount(kind)[[Kind.PRODUCER, Kind.CONSUMER]].tolist() == [34, 25]
    (dangling,) = [note for note in found.data_notes if note.kind == "unresolved-links"]
    assert dangling.count == len(found.recording.links) == 3


def test_datadog_nothing_is_called_lost(analyses: Analyses) -> None:
    """Contexts are broken between producer and consumer: that is no lost message."""
    found = analyses("datadog")
    assert not [one for one in found.findings if one.cause == "lost"]
    assert not of_kind(found, "stuck", "late", "missing-step")


# --- all ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_command_gives_the_same_numbers(
    analyses: Analyses, shared_data: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    found = analyses(name)
    code = cli.run(["analyze", str(shared_data / NAMES[name]), "--format", "json"])
    document = msgspec.json.decode(capsys.readouterr().out)
    worst = {one.severity.value for one in found.findings}
    assert code == int("error" in worst)
    assert document["schema_version"] == "1"
    counts = [document["input"][key] for key in ("spans", "links", "traces")]
    recording = found.recording
    assert counts == [len(recording.spans), len(recording.links), traces(found)]
    assert document["instances"] == {"total": len(found.instances), "by_state": found.by_state}
    assert [one["fingerprint"] for one in document["findings"]] == [
        one.fingerprint
        for one in sorted(found.findings, key=lambda f: (*f.sort_key, f.fingerprint))
    ]
    assert len(document["edges"]) == len(found.service_edges)
