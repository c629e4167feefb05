"""The commands on real recordings: contract, escaping and drawings hold for each of them."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest
from jsonschema import Draft202012Validator
from rich.cells import cell_len

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.reporters import lanes
from analyzer.reporters.context import Context
from analyzer.reporters.registry import REPORTERS
from analyzer.reporters.style import Style
from collectors import read
from tests.reporters.test_json import SCHEMA, strict
from tests.support.hostile import raw_controls
from tests.tui.conftest import Run

RECORDINGS = (
    "otlp_demo/test_data.json",
    "zipkin/messaging-kafka.json",
    "jaeger_traceweaver",
    "ob_2022-08-22_0510_checkout-return_PlaceOrder-only.jsonl",
    "tt_faultfree_2023-01-30_1138.jsonl",
    "dd_kafka_aiokafka.jsonl",
)


@pytest.fixture(scope="module", params=RECORDINGS)
def analysis(request: pytest.FixtureRequest, shared_data: Path) -> Analysis:
    return analyze(read([shared_data / request.param]))


def test_the_json_report_is_what_the_schema_says(analysis: Analysis) -> None:
    report = json.loads(REPORTERS[1].render(analysis, Context()))
    errors = list(Draft202012Validator(strict(SCHEMA)).iter_errors(report))
    assert errors == []
    assert sum(report["instances"]["by_state"].values()) == report["instances"]["total"]
    assert sum(w["instances"] for w in report["workflows"]) == report["instances"]["total"]


def test_the_text_report_fits_its_width(analysis: Analysis) -> None:
    """Only a command that is to be copied may be longer."""
    text = REPORTERS[0].render(analysis, Context())
    assert raw_controls(text) == []
    long = [line for line in text.splitlines() if cell_len(line) > 80]
    assert [line for line in long if not line.startswith("  look")] == []
    assert text.count("\n") < 250


def test_every_instance_can_be_drawn(analysis: Analysis) -> None:
    for identifier in analysis.instances["id"].to_list()[:40]:
        instance = analysis.instance(identifier)
        text = lanes.render(instance, Style(100))
        assert raw_controls(text) == []
        drawn = sum(data["expected"] is False for _, data in instance.graph().nodes(data=True))
        assert drawn == instance.steps.height
        assert max(cell_len(line) for line in text.splitlines()) <= 100


def test_the_service_graph_has_every_service(analysis: Analysis) -> None:
    graph = analysis.service_graph()
    services = {data["name"] for _, data in graph.nodes(data=True) if data["type"] == "service"}
    assert services >= set(analysis.services["name"])
    sync = [kind for *_, kind in graph.edges(keys=True) if kind == "sync"]
    assert len(sync) == analysis.service_edges.filter(kind="sync").height
    assert isinstance(graph, nx.MultiDiGraph)


@pytest.mark.parametrize(
    ("recording", "code"), [(RECORDINGS[0], 1), (RECORDINGS[2], 0), (RECORDINGS[4], 0)]
)
def test_the_gate_on_real_recordings(
    run: Run, shared_data: Path, recording: str, code: int
) -> None:
    assert run("analyze", str(shared_data / recording)).code == code


def test_unconsumed_topics_are_in_the_service_graph(run: Run, shared_data: Path) -> None:
    source = str(shared_data / RECORDINGS[1])
    graph = nx.node_link_graph(
        json.loads(run("graph", source, "--format", "json").out), edges="edges"
    )
    assert graph.edges["servicea", "command-messages", "publish"]["calls"] == 3
    assert list(graph.successors("command-messages")) == []
    assert graph.edges["messages", "serviceb", "event"]["calls"] == 3
