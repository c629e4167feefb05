"""The monitor's HTTP API: what dashboards and scripts ask for. Every answer is of one look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from analyzer.alerts.outbox import Outbox
from analyzer.alerts.silences import silence_for
from analyzer.monitor.ingest import Ingest
from analyzer.monitor.metrics import openmetrics
from analyzer.monitor.monitor import Look, Monitor
from analyzer.monitor.transfer import MEDIA, Packed, chosen
from collectors.receivers.refusals import Refused, Why
from collectors.receivers.web import Answer, Call, Handler

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
MOST = 1000  # instances in one answer, unless `limit` says otherwise
LONGEST_WAIT = 30.0  # seconds of a long poll

Routes = dict[tuple[str, str], Handler]


def routes(
    monitor: Monitor, outbox: Outbox, ingest: Callable[[], Ingest | None] = lambda: None
) -> Routes:
    """The API's paths; `ingest`: what the process that receives has counted."""
    return {
        ("GET", "/healthz"): _healthz,
        ("GET", "/readyz"): _of_look(monitor, lambda look, _: {"generation": look.generation}),
        ("GET", "/metrics"): _metrics(monitor, outbox, ingest),
        ("GET", "/api/v1/snapshot"): _of_look(
            monitor, lambda look, call: _snapshot(look, call) | {"ingest": ingest()}
        ),
        ("GET", "/api/v1/instances"): _of_look(monitor, _instances),
        ("GET", "/api/v1/instance"): _of_look(monitor, _instance),
        ("GET", "/api/v1/findings"): _of_look(monitor, _findings),
        ("GET", "/api/v1/services"): _of_look(monitor, _services),
        ("GET", "/api/v1/alerts"): _alerts(monitor, outbox),
        ("GET", "/api/v1/look"): _whole(monitor, outbox),
        ("POST", "/api/v1/silences"): _silence(outbox),
        ("DELETE", "/api/v1/silences"): _unsilence(outbox),
    }


async def _healthz(call: Call) -> Answer:
    return Answer(200, b'{"status":"ok"}')


def _of_look(monitor: Monitor, make: Callable[[Look, Call], Any]) -> Handler:
    """Answers from the present look; with `after=GENERATION` from the first one after it."""

    async def handler(call: Call) -> Answer:
        look = await _awaited(monitor, call, _number(call, "after", -1))
        found = await asyncio.to_thread(make, look, call)
        return Answer(200, msgspec.json.encode(found))

    return handler


async def _awaited(monitor: Monitor, call: Call, after: int) -> Look:
    """The first look after that generation, or the present one where none comes in time."""
    look = monitor.current
    if after >= 0 and (look is None or look.generation <= after):
        wait = min(float(_number(call, "wait", 10)), LONGEST_WAIT)
        look = await asyncio.to_thread(monitor.wait, after, wait)
    if look is None:
        raise Refused(Why.UNAVAILABLE, "the first look is not done yet")
    return look


def _whole(monitor: Monitor, outbox: Outbox) -> Handler:
    """All of a look for another dashboard; 204 where there is none after `after` of `session`."""
    packed = Packed(outbox)

    async def handler(call: Call) -> Answer:
        same = call.query.get("session", packed.session) == packed.session
        after = _number(call, "after", -1) if same else -1
        look = await _awaited(monitor, call, after)
        if look.generation <= after:
            return Answer(204)
        encoding = chosen(call.headers.get("accept-encoding", ""))
        body = await asyncio.to_thread(packed.of, look, encoding)
        headers = (("content-encoding", encoding),) if encoding else ()
        return Answer(200, body, MEDIA, (*headers, ("vary", "accept-encoding")))

    return handler


def _metrics(monitor: Monitor, outbox: Outbox, ingest: Callable[[], Ingest | None]) -> Handler:
    async def handler(call: Call) -> Answer:
        look = monitor.current
        if look is None:
            raise Refused(Why.UNAVAILABLE, "the first look is not done yet")
        text = await asyncio.to_thread(openmetrics, look, outbox.waiting(), ingest())
        return Answer(200, text.encode(), OPENMETRICS)

    return handler


def _head(look: Look) -> dict[str, Any]:
    from analyzer.reporters.units import rfc3339

    return {
        "schema_version": "1",
        "generation": look.generation,
        "at": rfc3339(look.at_ns),
        "as_of": rfc3339(look.analysis.as_of_ns),
    }


def _snapshot(look: Look, call: Call) -> dict[str, Any]:
    """The numbers of the dashboard's header, and the instances that match."""
    firing = sum(alert.phase.value == "firing" for alert in look.alerts.values())
    return _instances(look, call) | {
        "by_state": look.analysis.by_state,
        "finished": [
            {"workflow": workflow, "state": state, "instances": n}
            for (workflow, state), n in sorted(look.left.finished.items())
        ],
        "findings": len(look.analysis.findings),
        "alerts": {"firing": firing, "pending": len(look.alerts) - firing},
        "spans": look.spans,
        "spans_per_s": round(look.spans_per_s, 1),
        "held_spans": len(look.analysis.recording.spans),
        "overflow": look.left.overflow,
        "rejected": look.rejected,
        "damaged": look.damaged,
        "lag_s": round(look.lag_ns / 1e9, 3),
        "look_s": round(look.behind_s, 3),
    }


def _instances(look: Look, call: Call) -> dict[str, Any]:
    from analyzer.reporters.instances import SORTS, fields, ordered
    from analyzer.where import WhereError, matches

    now, sort = look.analysis.as_of_ns, call.query.get("sort", "state")
    if sort.removeprefix("-") not in SORTS:
        raise Refused(Why.MALFORMED, f"no field {sort[:40]!r}; there are {', '.join(SORTS)}")
    try:
        kept = matches(look.analysis.instances, call.query.get("where", ""), now)
    except WhereError as error:
        raise Refused(Why.MALFORMED, f"where: {error}") from error
    shown = ordered(kept, sort, now).head(_number(call, "limit", MOST))
    return _head(look) | {
        "total": look.analysis.instances.height,
        "matching": kept.height,
        "instances": [fields(row) for row in shown.iter_rows(named=True)],
    }


def _instance(look: Look, call: Call) -> dict[str, Any]:
    from analyzer.reporters.instance_json import render

    try:
        found = look.analysis.instance(call.query.get("id", ""))
    except LookupError as error:
        raise Refused(Why.UNKNOWN_PATH, str(error)) from error
    return _head(look) | {"instance": msgspec.Raw(render(found).encode())}


def _findings(look: Look, call: Call) -> dict[str, Any]:
    from analyzer.reporters.json import finding_fields, ordered

    limit = _number(call, "limit", MOST)
    found = ordered(look.analysis.findings)
    return _head(look) | {
        "total": len(found),
        "findings": [finding_fields(one) for one in found[:limit]],
    }


def _services(look: Look, _: Call) -> dict[str, Any]:
    analysis = look.analysis
    return _head(look) | {
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
            "log": outbox.log(_number(call, "limit", 100)),
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


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    if not text:
        return default
    if not text.isdigit() or len(text) > 12:
        raise Refused(Why.MALFORMED, f"{name} must be a number, not {text[:40]!r}")
    return int(text)
