"""pandas: OTLP protobuf into column lists and a data frame, then the same questions by joins.

python benchmarks/peers/pandas_script.py FILE ANSWER.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

COLUMNS = ("trace", "span", "parent", "name", "kind", "start_ns", "end_ns", "service", "topic")
GRACE_NS = 300 * 10**9


def requests(data: bytes) -> Iterator[bytes]:
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


def load(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spans (ids as bytes) and links, with the one attribute that the questions need."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    links: list[tuple[bytes, bytes, bytes, bytes]] = []
    trace, span_id, parent, name, kind, start, end, services, topic = columns.values()
    for body in requests(path.read_bytes()):
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(
                a.value.string_value for a in group.resource.attributes if a.key == "service.name"
            )
            for scope in group.scope_spans:
                for span in scope.spans:
                    trace.append(span.trace_id)
                    span_id.append(span.span_id)
                    parent.append(span.parent_span_id)
                    name.append(span.name)
                    kind.append(span.kind)
                    start.append(span.start_time_unix_nano)
                    end.append(span.end_time_unix_nano)
                    services.append(service)
                    found = ""
                    if span.kind >= 4:
                        for item in span.attributes:
                            if item.key == "messaging.destination.name":
                                found = item.value.string_value
                    topic.append(found)
                    links.extend(
                        (x.trace_id, x.span_id, span.trace_id, span.span_id) for x in span.links
                    )
    frame = pd.DataFrame(columns)
    return frame, pd.DataFrame(links, columns=["above_trace", "above", "trace", "span"])


def label_instances(spans: pd.DataFrame, links: pd.DataFrame) -> pd.Series:
    """Each span's instance: the root trace that its trace reaches over links (min label)."""
    label = pd.Series(spans["trace"].unique(), index=spans["trace"].unique())
    hops = links[["above_trace", "trace"]].drop_duplicates()
    above = hops.groupby("trace")["above_trace"].first()
    while True:
        moved = label.map(above).fillna(label)
        if moved.equals(label):
            return spans["trace"].map(label)
        label = moved


def find_unconfirmed(spans: pd.DataFrame) -> list[str]:
    by = spans.groupby("instance")
    old = by["start_ns"].min() < spans["end_ns"].max() - GRACE_NS
    placed = spans.loc[spans["name"] == "publish orders.placed", "instance"].unique()
    confirmed = spans.loc[spans["name"] == "process orders.confirmed", "instance"].unique()
    keep = old.index[old & old.index.isin(placed) & ~old.index.isin(confirmed)]
    return sorted(x.hex() for x in keep)


def service_edges(spans: pd.DataFrame, links: pd.DataFrame) -> list[dict[str, Any]]:
    sources = spans[["trace", "span", "service"]].rename(
        columns={"span": "above", "trace": "above_trace", "service": "source"}
    )
    targets = spans[["trace", "span", "service", "topic"]]
    child = spans[["trace", "span", "parent", "service", "topic"]].rename(
        columns={"parent": "above"}
    )
    child["above_trace"] = child["trace"]
    linked = links.merge(targets, on=["trace", "span"])
    joined = pd.concat(
        [x.merge(sources, on=["above_trace", "above"]) for x in (child, linked)], ignore_index=True
    )
    crossing = joined[joined["source"] != joined["service"]]
    counts = crossing.groupby(["source", "service", "topic"]).size().reset_index(name="calls")
    counts = counts.rename(columns={"service": "target", "topic": "destination"})
    rows: list[dict[str, Any]] = counts.to_dict("records")
    return rows


def main() -> None:
    path, output = Path(sys.argv[1]), Path(sys.argv[2])
    laps, before = {}, time.process_time()

    def lap(what: str) -> None:
        nonlocal before
        now = time.process_time()
        laps[what], before = round(now - before, 3), now

    spans, links = load(path)
    lap("load")
    spans["instance"] = label_instances(spans, links)
    lap("instances")
    unconfirmed = find_unconfirmed(spans)
    lap("unconfirmed")
    edges = service_edges(spans, links)
    lap("edges")
    answer = {
        "spans": len(spans),
        "instances": int(spans["instance"].nunique()),
        "unconfirmed": unconfirmed,
        "edges": edges,
        "cpu_s": laps,
    }
    output.write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
