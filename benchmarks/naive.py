"""The script a person writes first: a dict per span, one networkx graph, the same questions.

    python benchmarks/naive.py FILE ANSWER.json

Stands alone on purpose: opentelemetry-proto or json, networkx, nothing of choreoscope's.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PLACED, CONFIRMED = "publish orders.placed", "process orders.confirmed"
GRACE_NS = 300 * 10**9
Span = dict[str, Any]
Id = tuple[str, str]


def requests(data: bytes) -> Iterator[bytes]:
    """The messages of a length-delimited stream."""
    at = 0
    while at < len(data):
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield data[at : at + size]
        at += size


def read_protobuf(path: Path) -> Iterator[Span]:
    for body in requests(path.read_bytes()):
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {a.key: plain(a.value) for a in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    trace = span.trace_id.hex()
                    yield {
                        "id": (trace, span.span_id.hex()),
                        "parent": (trace, span.parent_span_id.hex()),
                        "name": span.name,
                        "kind": span.kind,
                        "start": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano,
                        "status": span.status.code,
                        "service": resource["service.name"],
                        "attributes": {a.key: plain(a.value) for a in span.attributes},
                        "links": [(x.trace_id.hex(), x.span_id.hex()) for x in span.links],
                        "events": [(e.time_unix_nano, e.name) for e in span.events],
                    }


def plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def read_json(path: Path) -> Iterator[Span]:
    with path.open() as lines:
        for line in lines:
            for group in json.loads(line)["resourceSpans"]:
                resource = attributes(group["resource"])
                for scope in group["scopeSpans"]:
                    for span in scope["spans"]:
                        trace = span["traceId"]
                        yield {
                            "id": (trace, span["spanId"]),
                            "parent": (trace, span.get("parentSpanId", "")),
                            "name": span["name"],
                            "kind": span["kind"],
                            "start": int(span["startTimeUnixNano"]),
                            "end": int(span["endTimeUnixNano"]),
                            "status": span.get("status", {}).get("code", 0),
                            "service": resource["service.name"],
                            "attributes": attributes(span),
                            "links": [(x["traceId"], x["spanId"]) for x in span.get("links", [])],
                            "events": [
                                (e["timeUnixNano"], e["name"]) for e in span.get("events", ())
                            ],
                        }


def attributes(holder: Any) -> dict[str, Any]:
    return {a["key"]: next(iter(a["value"].values())) for a in holder.get("attributes", ())}


def build(spans: Iterator[Span]) -> nx.DiGraph[Id]:
    """Parent and link edges between spans; the whole span is the node's data."""
    graph: nx.DiGraph[Id] = nx.DiGraph()
    edges = []
    for span in spans:
        graph.add_node(span["id"], **span)
        edges += [(source, span["id"]) for source in (span["parent"], *span["links"]) if source[1]]
    graph.add_edges_from((s, t) for s, t in edges if s in graph)
    return graph


def answer(graph: nx.DiGraph[Id]) -> dict[str, Any]:
    """Instances, the unconfirmed ones (by the trace id of their first span), the service edges."""
    nodes = graph.nodes
    now = max(data["end"] for _, data in nodes(data=True))
    instances, unconfirmed = 0, []
    for members in nx.weakly_connected_components(graph):
        instances += 1
        names = {nodes[m]["name"] for m in members}
        first = min(members, key=lambda m: nodes[m]["start"])
        if PLACED in names and CONFIRMED not in names and nodes[first]["start"] < now - GRACE_NS:
            unconfirmed.append(first[0])
    calls: Counter[tuple[str, str, str]] = Counter()
    for source, target in graph.edges:
        a, b = nodes[source], nodes[target]
        if a["service"] != b["service"]:
            topic = b["attributes"].get("messaging.destination.name", "")
            calls[a["service"], b["service"], topic] += 1
    return {
        "spans": len(nodes),
        "instances": instances,
        "unconfirmed": sorted(unconfirmed),
        "edges": [
            {"source": s, "target": t, "destination": d, "calls": n}
            for (s, t, d), n in sorted(calls.items())
        ],
    }


def main() -> None:
    path, output = Path(sys.argv[1]), Path(sys.argv[2])
    with path.open("rb") as file:
        is_json = file.read(1) == b"{"
    graph = build((read_json if is_json else read_protobuf)(path))
    output.write_text(json.dumps(answer(graph)))


if __name__ == "__main__":
    main()
