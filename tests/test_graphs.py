"""Graphs hold every step and service, and survive each format with hostile names."""

from __future__ import annotations

import io
import json
import re

import networkx as nx
import pytest

from analyzer.graphs import instance_graph, service_graph
from analyzer.reporters.graph_formats import GRAPH_FORMATS, dot, graphml, mermaid, node_link
from tests.support.analysis_builder import build, hostile_shop, order, shop
from tests.support.hostile import HOSTILE, raw_controls

names = pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))


def test_an_instance_graph_has_its_steps_and_edges() -> None:
    graph = instance_graph(shop().instance("ord-0003"))
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.number_of_nodes() == 5
    assert graph.number_of_edges() == 5
    operations = [data["operation"] for _, data in graph.nodes(data=True)]
    assert operations[0] == "POST /orders"
    tiers = sorted(data["tier"] for *_, data in graph.edges(data=True))
    assert tiers == ["E1", "E2", "E2", "E4", "E7"]
    assert all(data["wait_ns"] >= 0 for *_, data in graph.edges(data=True))


def test_an_absent_step_hangs_on_the_last_one_seen() -> None:
    graph = instance_graph(shop().instance("ord-stuck-1"))
    assert graph.nodes[-1]["expected"] is True
    assert graph.nodes[-1]["operation"] == "capture payment"
    [anchor] = graph.predecessors(-1)
    assert graph.nodes[anchor]["operation"] == "process orders.placed"


def test_waiting_without_a_finding_is_shown_too() -> None:
    graph = build([order("a", "late")]).instance("a").graph()
    assert graph.nodes[-1]["service"] == "payments"


def test_messages_run_over_their_destination() -> None:
    graph = service_graph(shop())
    assert graph.nodes["orders.placed"]["type"] == "destination"
    assert graph.nodes["orders"]["type"] == "service"
    assert graph.edges["orders", "orders.placed", "publish"]["calls"] == 12
    assert graph.edges["orders.placed", "stock", "event"]["calls"] == 12
    assert not graph.has_edge("orders", "stock")


def test_a_topic_named_like_a_service_is_another_node() -> None:
    graph = service_graph(hostile_shop("x1"))
    kinds = {data["name"]: data["type"] for _, data in graph.nodes(data=True)}
    assert kinds["x1"] == "destination"
    assert graph.nodes["x1 (destination)"]["type"] == "destination"
    assert graph.nodes["x1"]["type"] == "service"


@names
def test_graphml_reads_back(name: str) -> None:
    analysis = hostile_shop(name)
    for graph in (service_graph(analysis), instance_graph(analysis.instance(name + "a"))):
        text = graphml(graph)
        assert raw_controls(text) == []
        again = nx.read_graphml(io.BytesIO(text.encode()))
        assert again.number_of_nodes() == graph.number_of_nodes()
        assert again.number_of_edges() == graph.number_of_edges()


@names
def test_node_link_json_keeps_the_names(name: str) -> None:
    graph = service_graph(hostile_shop(name))
    text = node_link(graph)
    assert raw_controls(text) == []
    again = nx.node_link_graph(json.loads(text), edges="edges")
    assert nx.utils.graphs_equal(again, graph)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydot's own, of pyparsing
@names
def test_dot_is_read_by_a_dot_parser(name: str) -> None:
    pydot = pytest.importorskip("pydot")
    analysis = hostile_shop(name)
    for graph in (service_graph(analysis), instance_graph(analysis.instance(name + "a"))):
        text = dot(graph)
        assert raw_controls(text) == []
        [parsed] = pydot.graph_from_dot_data(text)
        nodes = [n for n in parsed.get_nodes() if re.fullmatch(r"n\d+", n.get_name())]
        assert len(nodes) == graph.number_of_nodes()
        assert len(parsed.get_edges()) == graph.number_of_edges()


_MERMAID_NODE = re.compile(r'  n\d+(\[/"[^"]*"/\]|\["[^"]*"\])(:::\w+)?')
_MERMAID_EDGE = re.compile(r'  n\d+ (-->|-\.->)\|"[^"]*"\| n\d+')


@names
def test_mermaid_has_one_statement_a_line(name: str) -> None:
    analysis = hostile_shop(name)
    for graph in (service_graph(analysis), instance_graph(analysis.instance(name + "a"))):
        text = mermaid(graph)
        assert raw_controls(text) == []
        head, *body = text.splitlines()
        assert head == "flowchart LR"
        nodes = [line for line in body if _MERMAID_NODE.fullmatch(line)]
        edges = [line for line in body if _MERMAID_EDGE.fullmatch(line)]
        assert len(nodes) == graph.number_of_nodes()
        assert len(edges) == graph.number_of_edges()
        assert len(nodes) + len(edges) + 2 == len(body)


def test_every_export_is_the_same_twice() -> None:
    for _, export in GRAPH_FORMATS:
        assert export(service_graph(shop())) == export(service_graph(shop()))
