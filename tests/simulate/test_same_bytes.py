"""A seed keeps its meaning: figures in the docs can be had again from another checkout."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import msgspec
import networkx as nx
import pytest

from collectors.simulate import chunks, parse, to_json

FOLDER = Path(__file__).resolve().parents[2] / "collectors" / "simulate"
# Whoever changes what a seed means changes these, and says so in the changelog.
DIGESTS = {
    "sim:order?instances=40": "857a535113677cf0",
    "sim:order?shape=batch&instances=40&faults=lost:.1,crash:.1,dead-letter:.1": "8a8744f83bb595b5",
    "sim:electronics?shape=link&instances=40&faults=no-compensation:.3": "18e3a261f123e42d",
    "sim:electronics?style=orchestrated&instances=40&faults=skip:.3": "a6c92777e1d2e8cc",
    "sim:tickets?shape=key&semconv=old&broker=rabbitmq&instances=40": "23aff6fe327fc785",
    "sim:login?instances=40&faults=hang:.2": "aa94479f3eb0e473",
}


def digest(uri: str) -> str:
    """Of all spans and of the truth, byte by byte."""
    told = hashlib.sha256()
    for chunk in chunks(parse(uri)):
        for part in (*map(to_json, chunk.requests), *map(msgspec.json.encode, chunk.truth)):
            told.update(part)
    return told.hexdigest()[:16]


@pytest.mark.parametrize("uri", DIGESTS)
def test_a_seed_gives_the_bytes_it_gave_before(uri: str) -> None:
    assert digest(uri) == DIGESTS[uri]


def test_the_modules_of_the_simulator_import_one_another_in_one_direction() -> None:
    """Imports for type checkers count too."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "collectors.simulate."
            ):
                graph.add_edge(path.stem, str(node.module).rpartition(".")[2])
    assert graph.number_of_edges() > 10
    assert nx.is_directed_acyclic_graph(graph), nx.find_cycle(graph)
