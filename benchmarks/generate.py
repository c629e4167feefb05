"""Write a labelled recording of the order choreography, as a Collector's file exporter would.

    python -m benchmarks.generate --spans 1000000 --encoding protobuf --layout mixed -o FILE

`protobuf` is a stream of length-delimited ExportTraceServiceRequests, `json` one request a line;
500 spans a request in order of their end, grouped by service. Beside FILE goes FILE.truth.json.
The same arguments give the same bytes. Memory is bounded by a chunk of 4,000 orders.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from benchmarks.templates import (
    FIRST_OFFSET,
    SCOPE,
    Bytes,
    Ints,
    Template,
    decimal_text,
    hex_text,
    little_endian,
    otlp_dict,
    resource,
    template,
    varint5,
)
from benchmarks.workload import (
    ACTIVITIES,
    BROKEN,
    GRACE_S,
    LAYOUTS,
    RECORDING_S,
    SERVICES,
    SPAN_TYPES,
    Activity,
    service_edges,
    survivors,
)

EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01
CHUNK_ORDERS = 4_000
SPANS_A_REQUEST = 500
SPANS_AN_ORDER = 25.6  # on average, with 3.6 % broken
LOST = tuple(a.name for a in ACTIVITIES if a.after)
MS = 1_000_000
TYPE = {span.key: number for number, span in enumerate(SPAN_TYPES)}
SERVICE_OF = np.array([SERVICES.index(s.service) for s in SPAN_TYPES])
Piece = tuple[int, int, int, int]  # request, service, first byte, byte after the last
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make."""

    spans: int
    encoding: str
    layout: str = "mixed"
    gap_s: float = 0.0  # extra wait before the order is confirmed
    seed: int = 1

    @property
    def orders(self) -> int:
        return max(1, round(self.spans / SPANS_AN_ORDER))


@dataclass(frozen=True, slots=True)
class Chunk:
    """The orders `first`.. as arrays of shape (orders, span types)."""

    first: int
    emitted: Bools  # the span happened and ended before the recording did
    start: Ints
    end: Ints
    span: Bytes  # (orders, span types, 8)
    trace: Bytes  # (orders, span types, 16)
    lost: Ints  # (orders,), -1 or an index into LOST


@dataclass(slots=True)
class Truth:
    """The right answers, counted while the spans are made."""

    spans: int = 0
    instances: int = 0
    in_flight: int = 0  # healthy, but the recording ends before they do
    unconfirmed: list[str] = field(default_factory=list)  # root trace ids, older than the grace
    undecided: list[str] = field(default_factory=list)  # broken, but younger than the grace
    edges: dict[tuple[str, str, str], int] = field(default_factory=dict)


def _schedule(recipe: Recipe, rng: np.random.Generator, begin: Ints) -> tuple[Ints, Ints]:
    """Start and end of every span of every order, whether it happens or not."""
    start = np.zeros((len(begin), len(SPAN_TYPES)), np.int64)
    end = np.zeros_like(start)
    finished: dict[str, Ints] = {}
    for activity in ACTIVITIES:
        at = _activity_start(activity, recipe, rng, begin, end, finished)
        pace = rng.lognormal(0, 0.25, len(begin))
        for span in activity.spans:
            column = TYPE[span.key]
            start[:, column] = at + (pace * span.start_ms * MS).astype(np.int64)
            length = (pace * span.duration_ms * MS).astype(np.int64)
            end[:, column] = start[:, column] + length
        finished[activity.name] = end[:, TYPE[activity.spans[0].key]]
    return start, end


def _activity_start(
    activity: Activity,
    recipe: Recipe,
    rng: np.random.Generator,
    begin: Ints,
    end: Ints,
    finished: dict[str, Ints],
) -> Ints:
    if activity.after is None:
        return begin
    wait = (activity.wait_ms * MS * rng.lognormal(0, 0.5, len(begin))).astype(np.int64)
    wait += int(recipe.gap_s * 1e9) if activity.name == "confirm" else 0
    ready = end[:, TYPE[activity.after]] + wait
    for need in activity.needs:
        if need == "bill":  # shipping holds the stock until the bill is written
            ready = np.maximum(ready, finished[need])
    return ready


def chunk(recipe: Recipe, first: int) -> Chunk:
    """Orders `first` to `first + CHUNK_ORDERS`, from a generator of their own."""
    rng = np.random.Generator(np.random.Philox(key=[recipe.seed, first]))
    count = min(CHUNK_ORDERS, recipe.orders - first)
    spacing = RECORDING_S * 1e9 / recipe.orders
    begin = EPOCH_NS + ((first + np.arange(count) + rng.random(count)) * spacing).astype(np.int64)
    start, end = _schedule(recipe, rng, begin)
    lost = np.where(rng.random(count) < BROKEN, rng.integers(0, len(LOST), count), -1)
    happens = np.zeros((count, len(SPAN_TYPES)), bool)
    for index, name in enumerate((*LOST, None)):
        alive = survivors(name)
        types = [TYPE[s.key] for a in ACTIVITIES if a.name in alive for s in a.spans]
        rows = np.flatnonzero(lost == (index if name else -1))
        happens[rows[:, None], types] = True
    ids = rng.integers(0, 256, (count, len(SPAN_TYPES), 8), np.uint8)
    emitted = happens & (end <= EPOCH_NS + int(RECORDING_S * 1e9))
    return Chunk(first, emitted, start, end, ids, _traces(recipe, rng, count), lost)


def _traces(recipe: Recipe, rng: np.random.Generator, count: int) -> Bytes:
    """A new trace where the layout says so; below it, the trace of the parent."""
    trace = np.empty((count, len(SPAN_TYPES), 16), np.uint8)
    for activity in ACTIVITIES:
        fresh = activity.after is None or activity.name in LAYOUTS[recipe.layout]
        ids = rng.integers(0, 256, (count, 16), np.uint8)
        above = ids if fresh else trace[:, TYPE[activity.after or ""]]
        for span in activity.spans:
            trace[:, TYPE[span.key]] = above
    return trace


def count(truth: Truth, made: Chunk, recipe: Recipe) -> None:
    """Add one chunk's right answers to `truth`."""
    root = TYPE["root"]
    seen = made.emitted.any(axis=1)
    truth.spans += int(made.emitted.sum())
    truth.instances += int(seen.sum())
    truth.in_flight += int((seen & (made.lost < 0) & ~made.emitted[:, TYPE["mail"]]).sum())
    deadline = EPOCH_NS + int((RECORDING_S - GRACE_S - recipe.gap_s) * 1e9)
    for row in np.flatnonzero(seen & (made.lost >= 0)):
        old = made.start[row, root] <= deadline
        bucket = truth.unconfirmed if old else truth.undecided
        bucket.append(made.trace[row, root].tobytes().hex())
    for source, target, topic, above, below in service_edges():
        both = int((made.emitted[:, TYPE[above]] & made.emitted[:, TYPE[below]]).sum())
        edge = (source, target, topic)
        truth.edges[edge] = truth.edges.get(edge, 0) + both


class Writer:
    """Turns chunks into the bytes of one encoding."""

    def __init__(self, recipe: Recipe) -> None:
        self.json = recipe.encoding == "json"
        opening = {a.spans[0].key for a in ACTIVITIES if a.name in LAYOUTS[recipe.layout]}
        self.templates = [template(s, s.key in opening, recipe.encoding) for s in SPAN_TYPES]
        self.sizes = np.array([len(t.data) for t in self.templates])
        self.frames = [self._frame(service) for service in SERVICES]

    def _frame(self, service: str) -> tuple[bytes, bytes]:
        """What stands before a service's spans: (resource, scope)."""
        if self.json:
            res = json.dumps(otlp_dict(resource(service)), separators=(",", ":")).encode()
            scope = json.dumps(otlp_dict(SCOPE), separators=(",", ":")).encode()
            return b'{"resource":' + res, b',"scopeSpans":[{"scope":' + scope + b',"spans":['
        return _field(1, resource(service).SerializeToString()), _field(
            1, SCOPE.SerializeToString()
        )

    def write(self, made: Chunk, out: IO[bytes]) -> None:
        """Append the chunk's requests to `out`."""
        order, kind = np.nonzero(made.emitted)
        by_end = np.lexsort((kind, order, made.end[order, kind]))
        order, kind = order[by_end], kind[by_end]
        request = np.arange(len(order)) // SPANS_A_REQUEST
        service = SERVICE_OF[kind]
        grouped = np.lexsort((service, request))
        order, kind, request, service = (x[grouped] for x in (order, kind, request, service))
        after = np.cumsum(self.sizes[kind])
        before = after - self.sizes[kind]
        flat = self._spans(made, order, kind, before)
        cut = np.flatnonzero(np.diff(request * len(SERVICES) + service)) + 1
        edges = [0, *cut.tolist(), len(order)]
        groups = [
            (int(request[a]), int(service[a]), int(before[a]), int(after[b - 1]))
            for a, b in pairwise(edges)
        ]
        for pieces in _by_request(groups):
            self._request(pieces, flat, out)

    def _spans(self, made: Chunk, order: Ints, kind: Ints, before: Ints) -> Bytes:
        flat = np.empty(int(self.sizes[kind].sum()), np.uint8)
        for number, form in enumerate(self.templates):
            mine = np.flatnonzero(kind == number)
            if not len(mine):
                continue
            rows = self._fill(form, number, made, order[mine])
            flat[before[mine][:, None] + np.arange(self.sizes[number])] = rows
        return flat

    def _fill(self, form: Template, number: int, made: Chunk, rows: Ints) -> Bytes:
        block = np.tile(form.data, (len(rows), 1))
        above = TYPE.get(SPAN_TYPES[number].parent or "", number)
        orders = made.first + rows
        ids = {
            "trace": made.trace[rows, number],
            "span": made.span[rows, number],
            "parent": made.span[rows, above],
            "link_trace": made.trace[rows, above],
            "link_span": made.span[rows, above],
        }
        start = made.start[rows, number]
        numbers = {
            "start": start,
            "end": made.end[rows, number],
            "event": start + MS // 2,
            "order": orders,
            "partition": orders % 8,
            "offset": FIRST_OFFSET + orders // 8,
        }
        for name, (at, width) in form.holes.items():
            value = (
                (hex_text(ids[name]) if self.json else ids[name])
                if name in ids
                else self._number(name, numbers[name], width)
            )
            # The first two characters of the order's id are "o-": they do not differ.
            block[:, at : at + width] = value
        return block

    def _number(self, name: str, values: Ints, width: int) -> Bytes:
        if self.json or name in {"order", "partition"}:
            return decimal_text(values, width)
        return varint5(values) if name == "offset" else little_endian(values)

    def _request(self, pieces: list[Piece], flat: Bytes, out: IO[bytes]) -> None:
        parts: list[bytes] = []
        for _, service, begin, end in pieces:
            res, scope = self.frames[service]
            if self.json:  # the last span's comma is left out
                comma = b"," if parts else b""
                parts.append(comma + res + scope + flat[begin : end - 1].tobytes() + b"]}]}")
            else:
                spans = scope + flat[begin:end].tobytes()
                parts.append(_field(1, res + _field(2, spans)))
        body = b"".join(parts)
        if self.json:
            out.write(b'{"resourceSpans":[' + body + b"]}\n")
        else:
            out.write(_varint(len(body)) + body)


def _by_request(groups: list[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    for group in groups:
        if batch and group[0] != batch[0][0]:
            yield batch
            batch = []
        batch.append(group)
    yield batch


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def truth_path(path: Path) -> Path:
    """Where the right answers for the recording at `path` stand."""
    return path.with_name(path.name + ".truth.json")


def generate(recipe: Recipe, path: Path) -> Truth:
    """Write the recording and its truth; complete files only, by renaming at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    truth, writer = Truth(), Writer(recipe)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as out:
        for first in range(0, recipe.orders, CHUNK_ORDERS):
            made = chunk(recipe, first)
            count(truth, made, recipe)
            writer.write(made, out)
    edges = [
        {"source": s, "target": t, "destination": d, "calls": n}
        for (s, t, d), n in sorted(truth.edges.items())
    ]
    document = {
        "spans": truth.spans,
        "instances": truth.instances,
        "in_flight": truth.in_flight,
        "edges": edges,
        "unconfirmed": sorted(truth.unconfirmed),
        "undecided": sorted(truth.undecided),
    }
    truth_path(path).write_text(json.dumps(document))
    partial.replace(path)
    return truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--encoding", choices=("protobuf", "json"), default="protobuf")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), default="mixed")
    parser.add_argument("--gap", type=float, default=0, help="seconds of wait before 'confirm'")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    recipe = Recipe(given.spans, given.encoding, given.layout, given.gap, given.seed)
    truth = generate(recipe, given.output)
    print(f"{truth.spans} spans, {truth.instances} instances, {len(truth.unconfirmed)} unconfirmed")


if __name__ == "__main__":
    main()
