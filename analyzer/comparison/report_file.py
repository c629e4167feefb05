"""An earlier run's JSON report, read back and checked."""

from __future__ import annotations

from typing import Any

import msgspec

from analyzer.reporters.json import SCHEMA_VERSION


class BadReport(ValueError):
    """A file is a JSON report and cannot be compared; the message says what is wrong with it."""


class Step(msgspec.Struct, frozen=True):
    """A step of a workflow."""

    service: str
    step: str
    kind: str
    instances: int
    occurrences: int
    errors: int
    p50_s: float | None = None
    p95_s: float | None = None


class Workflow(msgspec.Struct, frozen=True):
    """A workflow."""

    name: str
    instances: int
    by_state: dict[str, int]
    style: str
    steps: list[Step]
    p50_s: float | None = None
    p95_s: float | None = None


class Edge(msgspec.Struct, frozen=True):
    """A typed edge between two services."""

    source: str
    target: str
    kind: str
    destination: str | None
    instances: int
    calls: int
    errors: int
    p50_wait_s: float | None = None
    p95_wait_s: float | None = None


class Service(msgspec.Struct, frozen=True):
    """A service, or a participant that emits nothing."""

    name: str
    instances: int = 0


class Hotspot(msgspec.Struct, frozen=True):
    """A place of high coupling."""

    kind: str
    services: list[str]
    score: float
    message: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """Whose turn it is."""

    service: str | None = None
    step: str | None = None
    destination: str | None = None


class Found(msgspec.Struct, frozen=True):
    """A finding: what makes its place."""

    kind: str
    severity: str
    message: str
    workflow: str | None = None
    service: str | None = None
    step: str | None = None
    waiting_for: Waiting = Waiting()


class Note(msgspec.Struct, frozen=True):
    """A remark on the data."""

    kind: str


class Totals(msgspec.Struct, frozen=True):
    """All instances."""

    total: int
    by_state: dict[str, int]


class Input(msgspec.Struct, frozen=True):
    """What was read."""

    spans: int
    rejected: dict[str, int] = {}
    where: str | None = None


class Report(msgspec.Struct, frozen=True):
    """The parts of a report that are compared."""

    schema_version: str
    input: Input
    workflows: list[Workflow]
    instances: Totals
    services: list[Service]
    edges: list[Edge]
    hotspots: list[Hotspot]
    findings: list[Found]
    data_quality: list[Note] = []


def is_report(data: bytes) -> bool:
    """Whether these bytes are one JSON object that says it is a report of ours, whole or not."""
    start = data.lstrip()[:200]
    if start[:1] != b"{":
        return False
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Cut off in the middle: our own reports begin with their version.
        return b"".join(start.split()).startswith(b'{"schema_version":')
    return "schema_version" in fields or {"workflows", "findings"} <= set(fields)


def decode(data: bytes) -> Report:
    """The report. Raises BadReport: cut off, another version, a field absent or of another type."""
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReport(f"it is not whole JSON: {error}") from None
    return convert(fields)


def convert(fields: Any) -> Report:
    """The report of plain values. Raises BadReport."""
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if version != SCHEMA_VERSION:
        said = "has no schema_version" if version is None else f"has schema_version {version!r}"
        raise BadReport(f"it {said}; this choreoscope reads {SCHEMA_VERSION!r}")
    try:
        return msgspec.convert(fields, Report)
    except msgspec.ValidationError as error:
        raise BadReport(f"it is no report of 'analyze --format json': {error}") from None
