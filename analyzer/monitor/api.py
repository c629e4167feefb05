"""The monitor's HTTP API: what dashboards and scripts ask for. Every answer is of one look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from analyzer.alerts.outbox import Outbox
from analyzer.alerts.silences import silence_for
from analyzer.monitor.answers import MOST, head, instances, number, numbers, snapshot
from analyzer.monitor.bell import Bell
from analyzer.monitor.events import Events, metrics
from analyzer.monitor.ingest import Ingest
from analyzer.monitor.metrics import openmetrics
from analyzer.monitor.monitor import Look, Monitor
from analyzer.monitor.transfer import MEDIA, Packed, chosen
from collectors.receivers.refusals import Refused, Why
from collectors.receivers.web import Answer, Call, Handler

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
LONGEST_WAIT = 30.0  # seconds of a long poll

Routes = dict[tuple[str, str], Handler]


def routes(
    monitor: Monitor, outbox: Outbox, ingest: Callable[[], Ingest | None] = lambda: None
) -> Routes:
    """The API's paths; `ingest`: what the process that receives has counted."""
    bell = Bell(monitor, numbers)
    events = Events(bell)
    return {
        ("GET", "/healthz"): _healthz,
        ("GET", "/readyz"): _of_look(bell, lambda look, _: {"generation": look.generation}),
        ("GET", "/metrics"): _metrics(monitor, outbox, ingest, events),
        ("GET", "/api/v1/snapshot"): _of_look(
            bell, lambda look, call: snapshot(look, call) | {"ingest": ingest()}
        ),
        ("GET", "/api/v1/instances"): _of_look(bell, instances),
        ("GET", "/api/v1/instance"): _of_look(bell, _instance),
        ("GET", "/api/v1/findings"): _of_look(bell, _findings),
        ("GET", "/api/v1/services"): _of_look(bell, _services),
        ("GET", "/api/v1/alerts"): _alerts(monitor, outbox),
        ("GET", "/api/v1/events"): events.handler,
        ("GET", "/api/v1/look"): _whole(bell, outbox),
        ("POST", "/api/v1/silences"): _silence(outbox),
        ("DELETE", "/api/v1/silences"): _unsilence(outbox),
    }


async def _healthz(call: Call) -> Answer:
    return Answer(200, b'{"status":"ok"}')


def _of_look(bell: Bell, make: Callable[[Look, Call], Any]) -> Handler:
    """Answers from the present look; with `after=GENERATION` from the first one after it."""

    async def handler(call: Call) -> Answer:
        look = await _awaited(bell, call, number(call, "after", -1))
        found = await asyncio.to_thread(make, look, call)
        return Answer(200, msgspec.json.encode(found))

    return handler


async def _awaited(bell: Bell, call: Call, after: int) -> Look:
    """The first look after that generation, or the present one where none comes in time."""
    wait = min(float(number(call, "wait", 10)), LONGEST_WAIT) if after >= 0 else 0.0
    look = await bell.look(after, wait)
    if look is None:
        raise Refused(Why.UNAVAILABLE, "the first look is not done yet")
    return look


def _whole(bell: Bell, outbox: Outbox) -> Handler:
    """All of a look for another dashboard; 204 where there is none after `after` of `session`."""
    packed = Packed(outbox)

    async def handler(call: Call) -> Answer:
        same = call.query.get("session", packed.session) == packed.session
        after = number(call, "after", -1) if same else -1
        look = await _awaited(bell, call, after)
        if look.generation <= after:
            return Answer(204)
        encoding = chosen(call.headers.get("accept-encoding", ""))
        body = await asyncio.to_thread(packed.of, look, encoding)
        headers = (("content-encoding", encoding),) if encoding else ()
        return Answer(200, body, MEDIA, (*headers, ("vary", "accept-encoding")))

    return handler


def _metrics(
    monitor: Monitor, outbox: Outbox, ingest: Callable[[], Ingest | None], events: Events
) -> Handler:
    async def handler(call: Call) -> Answer:
        look = monitor.current
        if look is None:
            raise Refused(Why.UNAVAILABLE, "the first look is not done yet")
        more = metrics(events.counts)
        text = await asyncio.to_thread(openmetrics, look, outbox.waiting(), ingest(), more)
        return Answer(200, text.encode(), OPENMETRICS)

    return handler


def _instance(look: Look, call: Call) -> dict[str, Any]:
    from analyzer.reporters.instance_json import render

    try:
        found = look.analysis.instance(call.query.get("id", ""))
    except LookupError as error:
        raise Refused(Why.UNKNOWN_PATH, str(error)) from error
    return head(look) | {"instance": msgspec.Raw(render(found).encode())}


def _findings(look: Look, call: Call) -> dict[str, Any]:
    from analyzer.reporters.json import finding_fields, ordered

    limit = number(call, "limit", MOST)
    found = ordered(look.analysis.findings)
    return head(look) | {
        "total": len(found),
        "findings": [finding_fields(one) for one in found[:limit]],
    }


def _services(look: Look, _: Call) -> dict[str, Any]:
    analysis = look.analysis
    return head(look) | {
        "services": analysis.services.to_dicts(),
        "edges": analysis.service_edges.to_dicts(),
    }


def _alerts(monitor: Monitor, outbox: Outbox) -> Handler:
    async def handler(call: Call) -> Answer:
        look = monitor.current
        found = {
            "alerts": list(look.alerts.values()) if look else [],
            "silences": outbox.silences(),
            "waiting": outbox.waiting(),
            "log": outbox.log(number(call, "limit", 100)),
        }
        return Answer(200, msgspec.json.encode(found))

    return handler


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    match: dict[str, str]
    seconds: int
    by: str
    reason: str


def _silence(outbox: Outbox) -> Handler:
    async def handler(call: Call) -> Answer:
        try:
            wanted = msgspec.json.decode(await call.body(), type=_Wanted)
        except msgspec.DecodeError as error:
            raise Refused(Why.MALFORMED, str(error)) from error
        try:
            silence = silence_for(
                wanted.match, wanted.seconds, wanted.by, wanted.reason, time.time_ns()
            )
        except ValueError as error:
            raise Refused(Why.MALFORMED, str(error)) from error
        outbox.silence(silence)
        return Answer(201, msgspec.json.encode(silence))

    return handler


def _unsilence(outbox: Outbox) -> Handler:
    async def handler(call: Call) -> Answer:
        name = call.query.get("id", "")
        if not outbox.unsilence(name, time.time_ns()):
            raise Refused(Why.UNKNOWN_PATH, f"no silence {name[:40]!r} is in force")
        return Answer(200, msgspec.json.encode({"id": name}))

    return handler
