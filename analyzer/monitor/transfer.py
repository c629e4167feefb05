"""A whole look as one message: MessagePack, with the tables inside as Arrow IPC streams."""

from __future__ import annotations

import io
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import msgspec
import polars as pl
import zstandard
from isal import igzip

from analyzer.alerts.engine import Alert
from analyzer.alerts.outbox import Outbox, Outcome
from analyzer.alerts.silences import Silence
from analyzer.analysis import INSTANCES, SERVICE_EDGES, SERVICES, DataNote, Workflow
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
    workflows: tuple[Workflow, ...]
    findings: tuple[Finding, ...]
    hotspots: tuple[Hotspot, ...]
    data_notes: tuple[DataNote, ...]
    alerts: tuple[Alert, ...]
    silences: tuple[Silence, ...]
    deliveries: tuple[Outcome, ...]
    finished: tuple[tuple[str, str, int], ...]  # workflow, state, instances that have left
    overflow: int
    spans: int  # since the start
    spans_per_s: float
    lag_s: float
    lost: int  # spans and requests that could not be used, since the start
    latest_ns: int  # end of the latest span that is held; 0 = none is
    memory_bytes: int


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


def decoded(data: bytes) -> Message:
    """The message again. Raises Unusable."""
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
    try:
        return msgspec.msgpack.decode(envelope.body, type=Message)
    except msgspec.MsgspecError as error:
        raise Unusable(
            f"the answer of choreoscope {envelope.version[:40]} is not understood: {error}; this "
            f"is {version('choreoscope')}: the versions have to match"
        ) from error


def table(message: Message, name: str) -> pl.DataFrame:
    """One of SHAPES, in that shape. Raises Unusable."""
    shape = SHAPES[name]
    try:
        frame = pl.read_ipc_stream(message.tables[name])
        return frame.select(pl.col(column).cast(dtype) for column, dtype in shape.items())
    except (KeyError, pl.exceptions.PolarsError) as error:
        raise Unusable(f"the table {name} is not understood: {error}") from error


def _stream(frame: pl.DataFrame) -> bytes:
    into = io.BytesIO()
    frame.write_ipc_stream(into)
    return into.getvalue()
