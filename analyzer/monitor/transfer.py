"""A whole look as one message: MessagePack, with the tables inside as Arrow IPC streams.

The two ends may be of different versions. What a reader does not know it leaves aside; what it does
not find, or does not understand, it names as not said. Only CORE has to be there.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, get_type_hints

import msgspec
import polars as pl
import zstandard
from isal import igzip

from analyzer.alerts.engine import Alert
from analyzer.alerts.outbox import Outbox, Outcome
from analyzer.alerts.silences import Silence
from analyzer.analysis import INSTANCES, SERVICE_EDGES, SERVICES, DataNote, Workflow
from analyzer.checks import Conformance
from analyzer.finding import Finding, Hotspot
from analyzer.monitor.memory import resident
from analyzer.monitor.monitor import Look

FORMAT = 1  # of the message; a reader refuses any other
MEDIA = "application/vnd.choreoscope.look+msgpack"
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {  # the best first
    "zstd": lambda data: zstandard.compress(data, 1),
    "gzip": lambda data: bytes(igzip.compress(data, 1)),
}
SHAPES = {"instances": INSTANCES, "services": SERVICES, "service_edges": SERVICE_EDGES}
CORE_TABLES = ("instances",)
CORE = ("session", "generation", "at_ns", "as_of_ns", "tables")  # without these it is no look
CORE_COLUMNS = {  # without these a table is none; another that is not there is empty
    "instances": ("id", "workflow", "state", "start_ns", "end_ns"),
    "services": ("name",),
    "service_edges": ("source", "target", "kind", "destination"),
}
NULLABLE = frozenset(
    ("cause", "waiting_service", "waiting_step", "waiting_destination", "since_ns", "deadline_ns",
     "instability", "last_ns", "p50_wait_ns", "p95_wait_ns", "first_ns")
)  # fmt: skip


class Unusable(ValueError):
    """The message cannot be read; says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a dashboard shows of one look."""

    session: str  # of the process; generations of another one say nothing
    generation: int
    at_ns: int
    as_of_ns: int
    tables: dict[str, bytes]
    workflows: tuple[Workflow, ...] = ()
    findings: tuple[Finding, ...] = ()
    hotspots: tuple[Hotspot, ...] = ()
    data_notes: tuple[DataNote, ...] = ()
    key_suggestions: tuple[DataNote, ...] = ()
    conformance: Conformance | None = None
    alerts: tuple[Alert, ...] = ()
    silences: tuple[Silence, ...] = ()
    deliveries: tuple[Outcome, ...] = ()
    finished: tuple[tuple[str, str, int], ...] = ()  # workflow, state, instances that have left
    overflow: int = 0
    spans: int = 0  # since the start
    spans_per_s: float = 0.0
    lag_s: float = 0.0
    lost: int = 0  # spans and requests that could not be used, since the start
    latest_ns: int = 0  # end of the latest span that is held; 0 = none is
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """A message as this version reads it."""

    message: Message
    frames: dict[str, pl.DataFrame]  # every one of SHAPES, in that shape
    unsaid: tuple[str, ...]  # fields, tables and columns that the other version does not give


class Packed:
    """The present look's message, packed once for all who ask; safe to use from any thread."""

    def __init__(self, outbox: Outbox) -> None:
        self.session = secrets.token_hex(8)
        self._outbox = outbox
        self._lock = threading.Lock()
        self._generation = -1
        self._made: dict[str, bytes] = {}  # by encoding

    def of(self, look: Look, encoding: str) -> bytes:
        """The message in one of ENCODINGS, or plain where that is ""."""
        with self._lock:
            if look.generation != self._generation:
                self._generation, self._made = look.generation, {}
            if not self._made:
                self._made[""] = encoded(look, self._outbox, self.session)
            if encoding not in self._made:
                self._made[encoding] = ENCODINGS[encoding](self._made[""])
            return self._made[encoding]


def chosen(accepted: str) -> str:
    """The best of ENCODINGS that an Accept-Encoding header names; "" where it names none."""
    named = {
        word.partition(";")[0].strip().lower()
        for word in accepted.split(",")
        if word.replace(" ", "").rpartition(";q=")[2] not in ("0", "0.0")
    }
    return next((encoding for encoding in ENCODINGS if encoding in named), "")


class _Envelope(msgspec.Struct):
    format: int
    version: str
    body: msgspec.Raw


def encoded(look: Look, outbox: Outbox, session: str) -> bytes:
    """The message of a look, not packed."""
    analysis = look.analysis
    latest = analysis.recording.spans["end_ns"].max()
    message = Message(
        session=session,
        generation=look.generation,
        at_ns=look.at_ns,
        as_of_ns=analysis.as_of_ns,
        tables={name: _stream(getattr(analysis, name)) for name in SHAPES},
        workflows=analysis.workflows,
        findings=analysis.findings,
        hotspots=analysis.hotspots,
        data_notes=analysis.data_notes,
        key_suggestions=analysis.key_suggestions,
        conformance=analysis.conformance,
        alerts=tuple(look.alerts.values()),
        silences=tuple(outbox.silences()),
        deliveries=tuple(outbox.log()),
        finished=tuple((*key, count) for key, count in sorted(look.gone.items())),
        overflow=look.left.overflow,
        spans=look.spans,
        spans_per_s=look.spans_per_s,
        lag_s=look.lag_ns / 1e9,
        lost=sum(look.rejected.values()) + look.damaged,
        latest_ns=latest if isinstance(latest, int) else 0,
        memory_bytes=resident(),
    )
    body = msgspec.Raw(msgspec.msgpack.encode(message))
    return msgspec.msgpack.encode(_Envelope(FORMAT, version("choreoscope"), body))


def decoded(data: bytes) -> Read:
    """The message again. Raises Unusable."""
    envelope = _opened(data)
    try:
        fields = msgspec.msgpack.decode(envelope.body, type=dict[str, msgspec.Raw])
        message, unsaid = _message(fields)
        frames = {name: _frame(name, message.tables.get(name), unsaid) for name in SHAPES}
    except (_Lacking, msgspec.MsgspecError) as error:
        raise Unusable(
            f"the answer of choreoscope {envelope.version[:40]} is not understood: {error}; this "
            f"is {version('choreoscope')}: the versions have to match"
        ) from error
    return Read(replace(message, tables={}), frames, tuple(sorted(unsaid)))


def _opened(data: bytes) -> _Envelope:
    try:
        envelope = msgspec.msgpack.decode(data, type=_Envelope)
    except msgspec.MsgspecError as error:
        raise Unusable(f"the answer is no look of choreoscope: {error}") from error
    if envelope.format != FORMAT:
        raise Unusable(
            f"the server is choreoscope {envelope.version[:40]} and speaks format "
            f"{envelope.format}; this is {version('choreoscope')} and reads format {FORMAT}: "
            "the versions have to match"
        )
    return envelope


class _Lacking(ValueError):
    """What has to be there is not."""


def _message(fields: dict[str, msgspec.Raw]) -> tuple[Message, set[str]]:
    """The fields that are understood, and the names of the others. Raises _Lacking."""
    found: dict[str, Any] = {}
    unsaid: set[str] = set()
    for name, wanted in get_type_hints(Message).items():
        try:
            found[name] = msgspec.msgpack.decode(fields[name], type=wanted)
        except (KeyError, msgspec.MsgspecError) as error:
            if name in CORE:
                raise _Lacking(f"{name}: {_reason(error)}") from error
            unsaid.add(name)
    return Message(**found), unsaid


def _frame(name: str, data: bytes | None, unsaid: set[str]) -> pl.DataFrame:
    """One of SHAPES; notes what it lacks. Raises _Lacking."""
    shape, core = SHAPES[name], CORE_COLUMNS[name]
    try:
        frame = _understood(pl.read_ipc_stream(data or b""), shape)
    except (pl.exceptions.PolarsError, OSError):
        frame = pl.DataFrame()
    absent = [one for one in core if one not in frame.columns]
    if absent and name in CORE_TABLES:
        raise _Lacking(f"the table {name} has no {', '.join(absent)} that can be read")
    if absent:
        unsaid.add(name)
        return pl.DataFrame(schema=shape)
    lacking = [one for one in shape if one not in frame.columns]
    unsaid.update(f"{name}.{one}" for one in lacking)
    empty = [_empty(one, shape[one]).alias(one) for one in lacking]
    return frame.with_columns(empty).select(list(shape))


def _understood(given: pl.DataFrame, shape: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Its columns that are in the shape, or can be brought into it."""
    found = []
    for name in (one for one in shape if one in given.columns):
        with suppress(pl.exceptions.PolarsError):
            found.append(given[name].cast(shape[name]))
    return pl.DataFrame(found)


def _empty(name: str, dtype: pl.DataType) -> pl.Expr:
    """Null in a column that may hold it; else 0, no text, an empty list."""
    value: Any = 0 if dtype.is_numeric() else [] if isinstance(dtype, pl.List) else ""
    return pl.lit(None if name in NULLABLE else value, dtype=dtype)


def _reason(error: Exception) -> str:
    return "is not there" if isinstance(error, KeyError) else str(error)


def _stream(frame: pl.DataFrame) -> bytes:
    into = io.BytesIO()
    frame.write_ipc_stream(into)
    return into.getvalue()
