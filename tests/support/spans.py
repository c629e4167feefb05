"""Hand-made OTLP JSON: a few lines a case, times in seconds, ids that follow from the order."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.finding import Finding
from analyzer.reporters.context import Context
from analyzer.reporters.json import render
from collectors import read
from collectors.recording import Recording

T0_NS = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
SECOND = 10**9
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}

Attributes = Mapping[str, object]


@dataclass(frozen=True)
class Ref:
    """A span that was written: what parents and links need."""

    trace: str
    span: str
    service: str
    destination: str
    at: float
    end: float


def hex_id(text: str, digits: int) -> str:
    """Hex digits that follow from a text: the same in every run."""
    return hashlib.blake2b(text.encode(), digest_size=digits // 2).hexdigest()


def value(item: object) -> dict[str, object]:
    """An OTLP AnyValue."""
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int):
        return {"intValue": str(item)}
    if isinstance(item, float):
        return {"doubleValue": item}
    return {"stringValue": str(item)}


def pairs(attributes: Attributes) -> list[dict[str, object]]:
    """OTLP KeyValues."""
    return [{"key": key, "value": value(item)} for key, item in attributes.items()]


@dataclass
class Tape:
    """Collects spans; every span is one line of OTLP JSON."""

    spans: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def span(
        self,
        service: str,
        name: str,
        at: float,
        takes: float = 0.01,
        *,
        kind: str = "internal",
        parent: Ref | str | None = None,
        trace: str | None = None,
        links: Sequence[Ref | dict[str, Any]] = (),
        error: bool = False,
        pod: str = "",
        resource: Attributes | None = None,
        **more: Any,
    ) -> Ref:
        """Write a span `at` seconds after T0. `parent`: a span, or the id of one that is not
        there; `trace`: any text, by default the parent's trace, else one of its own. What is
        left over in `more` are fields of the span (`attributes` as a plain mapping)."""
        number = f"{len(self.spans)}"
        if trace is None:
            trace = parent.trace if isinstance(parent, Ref) else hex_id(f"trace {number}", 32)
        elif not re.fullmatch(r"[0-9a-f]{32}", trace):
            trace = hex_id(trace, 32)
        ref = Ref(trace, hex_id(f"span {number}", 16), service, "", at, at + takes)
        attributes = more.pop("attributes", {})
        body: dict[str, Any] = {
            "traceId": ref.trace,
            "spanId": ref.span,
            "name": name,
            "kind": KINDS[kind],
            "startTimeUnixNano": str(T0_NS + round(at * SECOND)),
            "endTimeUnixNano": str(T0_NS + round((at + takes) * SECOND)),
            "attributes": pairs(attributes),
            "links": [_link(one) for one in links],
            "status": {"code": 2} if error else {},
            **more,
        }
        if parent is not None:
            body["parentSpanId"] = parent.span if isinstance(parent, Ref) else parent
        about = {"service.name": service, "service.instance.id": pod or f"{service}-1"}
        self.spans.append({"about": {**about, **(resource or {})}, "span": body})
        destination = str(attributes.get("messaging.destination.name", ""))
        return Ref(ref.trace, ref.span, service, destination, at, at + takes)

    def send(
        self, service: str, destination: str, at: float, takes: float = 0.002, **more: Any
    ) -> Ref:
        """A producer span."""
        given = _messaging("send", destination) | more.pop("attributes", {})
        name = f"send {destination}"
        return self.span(service, name, at, takes, kind="producer", attributes=given, **more)

    def process(
        self, service: str, sent: Ref | str, at: float, takes: float = 0.02, **more: Any
    ) -> Ref:
        """A consumer span; how it hangs on `sent` (a span, or a destination) is said by
        `shape`: child, link, key (not at all)."""
        destination = sent.destination if isinstance(sent, Ref) else sent
        shape = more.pop("shape", "child")
        if isinstance(sent, Ref) and shape == "child":
            more.setdefault("parent", sent)
        if isinstance(sent, Ref) and shape == "link":
            more.setdefault("links", [sent])
        given = _messaging("process", destination) | more.pop("attributes", {})
        name = f"process {destination}"
        return self.span(service, name, at, takes, kind="consumer", attributes=given, **more)

    def serve(self, service: str, name: str, at: float, takes: float = 0.05, **more: Any) -> Ref:
        """A server span."""
        return self.span(service, name, at, takes, kind="server", **more)

    def call(
        self,
        caller: Ref,
        service: str,
        name: str,
        at: float,
        takes: float = 0.01,
        **more: Any,
    ) -> Ref:
        """A client span of `caller` and the server span below it, which is returned."""
        out = self.span(caller.service, name, at, takes, kind="client", parent=caller, **more)
        return self.span(
            service, name, at + takes / 10, takes * 0.8, kind="server", parent=out, **more
        )

    def drop(self, ref: Ref) -> None:
        """Take a span off the tape, as if it never ended."""
        self.spans = [one for one in self.spans if one["span"]["spanId"] != ref.span]

    def lines(self) -> list[bytes]:
        """One request a span."""
        return [line(one["about"], [one["span"]]) for one in self.spans]

    def recording(self) -> Recording:
        """What the collectors make of it."""
        return recorded(self.lines())

    def analyze(self, **more: Any) -> Analysis:
        """The analysis of it."""
        return analyze(self.recording(), **more)


def _link(target: Ref | dict[str, Any]) -> dict[str, Any]:
    if isinstance(target, Ref):
        return {"traceId": target.trace, "spanId": target.span}
    return target


def _messaging(operation: str, destination: str) -> dict[str, object]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.destination.name": destination,
    }


def line(about: Attributes, spans: Iterable[Mapping[str, Any]]) -> bytes:
    """An OTLP request of one resource as a line of JSON."""
    request = {
        "resourceSpans": [
            {"resource": {"attributes": pairs(about)}, "scopeSpans": [{"spans": list(spans)}]}
        ]
    }
    return msgspec.json.encode(request)


def recorded(*files: Sequence[bytes]) -> Recording:
    """What the collectors read from files with these lines."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, lines in enumerate(files):
            path = Path(folder) / f"{number}.jsonl"
            path.write_bytes(b"\n".join(lines) + b"\n")
            paths.append(path)
        return read(paths)


def report(analysis: Analysis) -> str:
    """The JSON report without the names of the files it was read from."""
    document = msgspec.json.decode(render(analysis, Context()))
    document["input"].pop("sources")
    return msgspec.json.encode(document).decode()


def of_kind(analysis: Analysis, *kinds: str) -> list[Finding]:
    """The findings of these kinds."""
    return [one for one in analysis.findings if one.kind in kinds]


COUPLING = {
    "cycle",
    "bidirectional",
    "hub",
    "synchronous-chain",
    "chatty",
    "shared-database",
    "passive-aggressive-event",
    "stamp-coupling",
    "front-controller",
    "esb-like-hub",
}


def kinds(analysis: Analysis) -> set[str]:
    """Kinds of findings about instances and data."""
    return {one.kind for one in analysis.findings} - COUPLING


def state_of(analysis: Analysis, ref: Ref) -> str:
    """State of the instance that the span's trace belongs to."""
    rows = analysis.instances.filter(analysis.instances["trace_ids"].list.contains(ref.trace))
    (state,) = rows["state"].to_list()
    return str(state)
