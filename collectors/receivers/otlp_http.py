"""OTLP over HTTP and Zipkin v2: routes that take spans."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collectors.envelope import sized
from collectors.receivers.admission import PATIENCE, PAUSE, Admission, Ready, unavailable
from collectors.receivers.bodies import KEPT, Body
from collectors.receivers.budget import Share
from collectors.receivers.checks import Checked
from collectors.receivers.refusals import Refused, Why
from collectors.receivers.web import Answer, Call, Handler
from collectors.store.frames import Kind
from collectors.store.log import Overloaded, Unstored

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
APART = 1 << 20  # bytes; larger bodies are checked in a thread
T = TypeVar("T")

Routes = dict[tuple[str, str], Handler]


def otlp_routes(admission: Admission) -> Routes:
    """`POST /v1/traces`."""

    async def traces(call: Call) -> Answer:
        kind = _kind(call)
        checked = await take(admission, call, kind)
        return _accepted(checked, kind)

    return {("POST", "/v1/traces"): traces}


def zipkin_routes(admission: Admission) -> Routes:
    """`POST /api/v2/spans`."""

    async def spans(call: Call) -> Answer:
        if _type(call) not in (JSON, ""):
            raise Refused(Why.UNKNOWN_TYPE, f"Content-Type {_type(call)[:60]!r}; send {JSON}")
        await take(admission, call, Kind.ZIPKIN_JSON)
        return Answer(202)

    return {("POST", "/api/v2/spans"): spans}


async def take(admission: Admission, call: Call, kind: Kind) -> Checked:
    """Take the body of a call; returns when it is on disk. Raises Refused."""
    with admission.budget.share() as share:
        ready = await _ready(admission, call, kind, share)

        async def stored() -> None:
            await asyncio.wrap_future(admission.store(ready, share))

        await _patient(stored)
        return admission.counted(ready)


async def _ready(admission: Admission, call: Call, kind: Kind, share: Share) -> Ready:
    """The request, checked; its body is looked into while it arrives."""
    body = Body(call.headers.get("content-encoding", ""), admission.limit)

    async def grow(by: int) -> None:
        share.grow(by)

    async def piece(data: bytes) -> None:
        await _patient(partial(grow, len(data)))
        if body.add(data):
            await asyncio.to_thread(body.look)

    await call.arrive(piece)
    return await _patient(partial(_checked, admission, kind, body, share))


async def _checked(admission: Admission, kind: Kind, body: Body, share: Share) -> Ready:
    """Here where it is small, else in a thread, so that others are answered."""
    work = partial(admission.checked, kind, body, share)
    if body.arrived <= APART and body.measured(APART) and body.size <= APART:
        return work()
    if await asyncio.to_thread(body.measured, KEPT) and body.size <= KEPT:
        return await asyncio.to_thread(work)
    return await asyncio.get_running_loop().run_in_executor(admission.large, work)


async def _patient(work: Callable[[], Awaitable[T]]) -> T:
    """What `work` returns, tried again for a while where there is no room."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return await work()
        except Unstored as error:
            if time.monotonic() > until or not isinstance(error, Overloaded):
                raise unavailable(error) from error
            await asyncio.sleep(PAUSE)


def _type(call: Call) -> str:
    return call.headers.get("content-type", "").partition(";")[0].strip().lower()


def _kind(call: Call) -> Kind:
    found = _type(call)
    if found == PROTOBUF:
        return Kind.OTLP_PROTOBUF
    if found == JSON:
        return Kind.OTLP_JSON
    raise Refused(
        Why.UNKNOWN_TYPE, f"Content-Type {found[:60]!r} is not taken; send {PROTOBUF} or {JSON}"
    )


def _accepted(checked: Checked, kind: Kind) -> Answer:
    if kind is Kind.OTLP_PROTOBUF:
        return Answer(200, response(checked), PROTOBUF)
    told = {"partialSuccess": _partial(checked)} if checked.rejected else {}
    return Answer(200, msgspec.json.encode(told), JSON)


def _partial(checked: Checked) -> dict[str, str]:
    return {"rejectedSpans": str(checked.rejected), "errorMessage": checked.reason}


def response(checked: Checked) -> bytes:
    """An ExportTraceServiceResponse; empty where every span was taken."""
    found = ExportTraceServiceResponse()
    if checked.rejected:
        found.partial_success.rejected_spans = checked.rejected
        found.partial_success.error_message = checked.reason
    return found.SerializeToString()


def status_refusal(refused: Refused, kind: str) -> Answer:
    """A google.rpc.Status in the request's own type, as OTLP asks for."""
    status = refused.why.value
    if kind.partition(";")[0].strip().lower() == JSON:
        body = msgspec.json.encode({"code": status.rpc, "message": refused.detail})
        return Answer(status.http, body, JSON)
    return Answer(status.http, status_bytes(status.rpc, refused.detail), PROTOBUF)


def status_bytes(code: int, detail: str) -> bytes:
    """A google.rpc.Status as protobuf."""
    return b"\x08" + bytes([code]) + sized(0x12, detail.encode(errors="replace"))
