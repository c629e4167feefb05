"""Checks a request before it is taken: whole, of the right shape, how many of its spans have ids.

As little as an honest answer needs: what is inside a span is decoded later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from collectors.decoders import scalars
from collectors.decoders.documents import DocumentReader
from collectors.decoders.json_documents import Text
from collectors.decoders.json_text import trimmed
from collectors.decoders.otlp_messages import bad_id
from collectors.decoders.otlp_schema import message
from collectors.decoders.zipkin import ZipkinSpans
from collectors.envelope import Broken, is_dense
from collectors.ledger import Ledger, Rejected, Where
from collectors.receivers.refusals import Refused, Why
from collectors.receivers.span_places import heads, span_places
from collectors.store.frames import Kind

LARGE = 1 << 20  # bytes of a protobuf request whose spans are not copied
CAREFUL = 4 << 20  # bytes of JSON that are read span by span: as objects they take 20 times that
MANY = 10_000  # spans that may be wrong where fewer are right: each is decoded one by one later
ODD = 1000  # spans that may be wrong there
ENOUGH = 64 << 10  # bytes of JSON that may hold whatever they like
SPARSE = 8  # bytes an object or a list: attributes have 11 each, and in memory one takes 80
HEAD = 28  # bytes of a span that begins with its trace id and its span id, as all encoders write

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a request holds."""

    spans: int  # usable ones
    rejected: int = 0
    reason: str = ""  # of the first that was rejected


def check(kind: Kind, body: bytes) -> Checked:
    """Count a request's spans. Raises Refused where it is no such request."""
    found = _CHECKS[kind](body)
    if found.rejected > max(MANY, found.spans):
        said = f"{found.rejected:,} of its spans cannot be taken: {found.reason}"
        raise Refused(Why.MALFORMED, said)
    return found


def _protobuf(body: bytes) -> Checked:
    if is_dense(body):
        raise Refused(Why.MALFORMED, "the request holds spans of fewer than four bytes")
    try:
        return _large(body) if len(body) > LARGE else _small(body)
    except (DecodeError, Broken) as error:
        raise Refused(Why.MALFORMED, f"no ExportTraceServiceRequest: {error}") from error


def _small(body: bytes) -> Checked:
    request = message("trace.v1.TracesData").FromString(body)
    spans = [
        span for group in request.resource_spans for scope in group.scope_spans
        for span in scope.spans
    ]  # fmt: skip
    if not spans:
        return Checked(0)
    whole = np.frombuffer(b"".join([span[:HEAD].ljust(HEAD, b"\0") for span in spans]), np.uint8)
    odd = np.flatnonzero(~_usual(whole.reshape(-1, HEAD)))
    return _counted(len(spans), (spans[n] for n in odd.tolist()))


def _large(body: bytes) -> Checked:
    """As `_small`, which holds each span three times, once as an object."""
    begins, ends = span_places(body)
    usual = [_usual(block) for block in heads(body, begins, ends, HEAD)]
    odd = np.flatnonzero(~np.concatenate(usual)) if usual else np.zeros(0, np.int64)
    return _counted(len(begins), (body[begins[n] : ends[n]] for n in odd))


def _counted(spans: int, odd: Iterable[bytes]) -> Checked:
    """The account of a request of which these spans do not begin as they usually do."""
    rejected, reason = 0, ""
    for wrong in filter(None, map(_wrong, odd)):
        rejected, reason = rejected + 1, reason or wrong
    return Checked(spans - rejected, rejected, reason)


def _usual(heads: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which spans begin with two ids of the right length, neither all zeros."""
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


class _Span(msgspec.Struct, gc=False):
    traceId: str | None = None
    spanId: str | None = None


class _Scope(msgspec.Struct):
    spans: list[_Span] | None = None


class _Resource(msgspec.Struct):
    scopeSpans: list[_Scope] | None = None


class _Request(msgspec.Struct):
    resourceSpans: list[_Resource] | None = None


class _Zipkin(msgspec.Struct, gc=False):
    traceId: str | None = None
    id: str | None = None


def _otlp_json(body: bytes) -> Checked:
    if not trimmed(body[:64]).startswith(b"{"):
        raise Refused(Why.MALFORMED, "an ExportTraceServiceRequest is a JSON object")
    found = _read(body, _Request)
    groups = (found.resourceSpans or []) if found else []
    good = [_is_hex(one.traceId, 32) and _is_hex(one.spanId, 16) for one in _spans(groups)]
    if not good or (not all(good) and _OTHER_NAMES.search(body)):
        return _carefully(body)
    if all(good):
        return Checked(len(good))
    first = good.index(False)
    one = next(islice(_spans(groups), first, None))
    return _partly(good, _place(groups, first), one.traceId, one.spanId)


def _spans(groups: Iterable[_Resource]) -> Iterator[_Span]:
    for group in groups:
        for scope in group.scopeSpans or ():
            yield from scope.spans or ()


def _place(groups: Iterable[_Resource], number: int) -> str:
    """Where in the request that span stands."""
    for r, group in enumerate(groups):
        for c, scope in enumerate(group.scopeSpans or ()):
            if number < (size := len(scope.spans or ())):
                return f"resourceSpans[{r}].scopeSpans[{c}].spans[{number}]"
            number -= size
    raise IndexError(number)


def _zipkin_json(body: bytes) -> Checked:
    if not trimmed(body[:64]).startswith(b"["):
        raise Refused(Why.MALFORMED, "Zipkin v2 spans are a JSON list")
    spans = _read(body, list[_Zipkin]) or []
    good = [_is_hex(one.traceId, 32, True) and _is_hex(one.id, 16, True) for one in spans]
    if not good:
        return _carefully(body)
    if all(good):
        return Checked(len(good))
    one = spans[first := good.index(False)]
    return _partly(good, f"[{first}]", one.traceId, one.id, short=True)


def _read(body: bytes, shape: type[T]) -> T | None:
    """The ids of a document; None where only a careful reading can tell. Raises Refused."""
    if len(body) > ENOUGH and (body.count(b"{") + body.count(b"[")) * SPARSE > len(body):
        said = f"the request holds objects and lists of fewer than {SPARSE} bytes"
        raise Refused(Why.MALFORMED, said)
    try:
        return msgspec.json.decode(trimmed(body), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if len(body) > CAREFUL:
            raise Refused(Why.MALFORMED, f"no such request: {error}") from error
        return None


def _partly(
    good: list[bool], place: str, trace: str | None, span: str | None, *, short: bool = False
) -> Checked:
    """The account of a request of which some spans have no ids; these are the first one's."""
    reason, name = "", "traceId"
    try:
        scalars.trace_id(trace, short=short)
        name = "id" if short else "spanId"
        scalars.span_id(span, short=short)
    except Rejected as bad:
        reason = f"{bad.reason}: {place}.{name}: {bad.detail}"
    return Checked(sum(good), len(good) - sum(good), reason)


def _is_hex(text: str | None, digits: int, short: bool = False) -> bool:
    if not text or not (len(text) == digits or (short and len(text) < digits)):
        return False
    try:
        raw = bytes.fromhex(text if len(text) == digits else text.zfill(digits))
    except ValueError:
        return False
    return any(raw) and 2 * len(raw) == digits  # blanks between digits are passed over


class _Few(Ledger):
    """An account that ends where too much is wrong: each entry costs more than it took to send."""

    def reject(self, where: Where, reason: str, detail: str, count: int = 1) -> None:
        """As in every ledger. Raises Refused."""
        Ledger.reject(self, where, reason, detail, count)
        if sum(self.rejected.values()) > ODD:
            said = f"more than {ODD} of its spans cannot be read: {reason}: {detail}"
            raise Refused(Why.MALFORMED, said)


def _carefully(body: bytes) -> Checked:
    """As the decoder judges it, span by span. Raises Refused where nothing can be read of it."""
    if len(body) > CAREFUL:
        raise Refused(Why.MALFORMED, "no spans are where the specification has them")
    ledger = _Few()
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


_OTHER_NAMES = re.compile(rb'"(?:trace|span)_id"')  # as protobuf spells them
# reasons that are about the request, not about one of its spans
_WHOLE = frozenset({"invalid-json", "nested-too-deep", "unknown-shape"})
_CHECKS: dict[Kind, Callable[[bytes], Checked]] = {
    Kind.OTLP_PROTOBUF: _protobuf,
    Kind.OTLP_JSON: _otlp_json,
    Kind.ZIPKIN_JSON: _zipkin_json,
}
