"""Checks a request before it is taken: whole, of the right shape, how many of its spans have ids.

As little as an honest answer needs: what is inside a span is decoded later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from google.protobuf.message import DecodeError

from collectors.decoders.documents import DocumentReader
from collectors.decoders.json_documents import Text
from collectors.decoders.json_text import trimmed
from collectors.decoders.otlp_messages import bad_id
from collectors.decoders.otlp_schema import message
from collectors.decoders.zipkin import ZipkinSpans
from collectors.envelope import is_dense
from collectors.ledger import Ledger, Where
from collectors.receivers.refusals import Refused, Why
from collectors.store.frames import Kind

HEAD = 28  # bytes of a span that begins with its trace id and its span id, as all encoders write


@dataclass(frozen=True, slots=True)
class Checked:
    """What a request holds."""

    spans: int  # usable ones
    rejected: int = 0
    reason: str = ""  # of the first that was rejected


def check(kind: Kind, body: bytes) -> Checked:
    """Count a request's spans. Raises Refused where it is no such request."""
    return _CHECKS[kind](body)


def _protobuf(body: bytes) -> Checked:
    if is_dense(body):
        raise Refused(Why.MALFORMED, "the request holds spans of fewer than four bytes")
    try:
        request = message("trace.v1.TracesData").FromString(body)
    except DecodeError as error:
        raise Refused(Why.MALFORMED, f"no ExportTraceServiceRequest: {error}") from error
    spans = [
        span for group in request.resource_spans for scope in group.scope_spans
        for span in scope.spans
    ]  # fmt: skip
    if not spans:
        return Checked(0)
    odd = np.flatnonzero(~_usual(spans))
    reasons = [reason for reason in map(_wrong, (spans[n] for n in odd.tolist())) if reason]
    return Checked(len(spans) - len(reasons), len(reasons), next(iter(reasons), ""))


def _usual(spans: Sequence[bytes]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which spans begin with two ids of the right length, neither all zeros."""
    heads = np.frombuffer(b"".join([span[:HEAD].ljust(HEAD, b"\0") for span in spans]), np.uint8)
    heads = heads.reshape(-1, HEAD)
    tags = (heads[:, 0] == 0x0A) & (heads[:, 1] == 16) & (heads[:, 18] == 0x12)
    ids = heads[:, 2:18].any(axis=1) & heads[:, 20:28].any(axis=1)
    return np.asarray(tags & (heads[:, 19] == 8) & ids)


def _wrong(span: bytes) -> str:
    """What is wrong with a span's ids; empty where nothing is."""
    try:
        found = message("trace.v1.Span").FromString(span)
    except DecodeError as error:
        return f"a span cannot be read: {error}"
    for name, raw, size in (("trace_id", found.trace_id, 16), ("span_id", found.span_id, 8)):
        if len(raw) != size or not any(raw):
            return f"{name}: {bad_id(raw, size)}"
    return ""


class _Span(msgspec.Struct):
    traceId: str
    spanId: str


class _Scope(msgspec.Struct):
    spans: list[_Span] | None = None


class _Resource(msgspec.Struct):
    scopeSpans: list[_Scope] | None = None


class _Request(msgspec.Struct):
    resourceSpans: list[_Resource] | None = None


class _Zipkin(msgspec.Struct):
    traceId: str
    id: str


def _otlp_json(body: bytes) -> Checked:
    def spans(found: _Request) -> Iterable[tuple[str, str]]:
        for group in found.resourceSpans or ():
            for scope in group.scopeSpans or ():
                for span in scope.spans or ():
                    yield span.traceId, span.spanId

    if not trimmed(body[:64]).startswith(b"{"):
        raise Refused(Why.MALFORMED, "an ExportTraceServiceRequest is a JSON object")
    try:
        found = msgspec.json.decode(body, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _carefully(body)
    good = [_is_hex(trace, 32) and _is_hex(span, 16) for trace, span in spans(found)]
    return Checked(len(good)) if all(good) else _carefully(body)


def _zipkin_json(body: bytes) -> Checked:
    if not trimmed(body[:64]).startswith(b"["):
        raise Refused(Why.MALFORMED, "Zipkin v2 spans are a JSON list")
    try:
        found = msgspec.json.decode(body, type=list[_Zipkin])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _carefully(body)
    good = [_is_hex(one.id, 16) and _is_hex(one.traceId, len(one.traceId)) for one in found]
    return Checked(len(good)) if all(good) else _carefully(body)


def _is_hex(text: str, digits: int) -> bool:
    try:
        return len(text) == digits and int(text, 16) != 0
    except ValueError:
        return False


def _carefully(body: bytes) -> Checked:
    """As the decoder judges it, span by span. Raises Refused where nothing can be read of it."""
    ledger = Ledger()
    zipkin = ZipkinSpans(ledger)
    reader = DocumentReader(ledger, zipkin)
    reader.text(Text(body, Where("request")))
    zipkin.build(reader.builder)
    rejected = sum(ledger.rejected.values())
    problems = [one for listed in ledger.problems.values() for one in listed]
    reason = f"{problems[0].reason}: {problems[0].detail}" if problems else ""
    if _WHOLE & set(ledger.rejected):
        raise Refused(Why.MALFORMED, reason)
    return Checked(len(reader.builder), rejected, reason)


# reasons that are about the request, not about one of its spans
_WHOLE = frozenset({"invalid-json", "nested-too-deep", "unknown-shape"})
_CHECKS: dict[Kind, Callable[[bytes], Checked]] = {
    Kind.OTLP_PROTOBUF: _protobuf,
    Kind.OTLP_JSON: _otlp_json,
    Kind.ZIPKIN_JSON: _zipkin_json,
}
