"""Unpacks request bodies within a bound: every gzip member, every zstd frame, no bomb."""

from __future__ import annotations

from io import BytesIO

from collectors.receivers.refusals import Refused, Why
from collectors.unpack import PACKINGS, Bomb, DamagedStream, Unpacked

LIMIT = 64 << 20  # bytes unpacked, as OTLP recommends
NAMES = {packing.name: packing for packing in PACKINGS}


def unpacked(body: bytes, encoding: str, limit: int = LIMIT) -> bytes:
    """The body as it was before it was packed. Raises Refused."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        if len(body) > limit:
            raise too_large(limit)
        return body
    packing = NAMES.get(name)
    if packing is None:
        raise Refused(
            Why.UNKNOWN_TYPE,
            f"Content-Encoding {name[:40]!r} is not taken; send gzip or zstd",
        )
    if not packing.begins(body[:4]) or not body:
        raise Refused(Why.MALFORMED, f"the body is not {name}, though Content-Encoding says so")
    reader = Unpacked(BytesIO(body), packing)
    try:
        plain = reader.read(limit + 1)
        damaged = len(plain) <= limit and reader.read(1)  # raises what stopped the first
    except Bomb as error:
        raise too_large(limit) from error
    except DamagedStream as error:
        raise Refused(Why.MALFORMED, str(error)) from error
    if damaged or len(plain) > limit:
        raise too_large(limit)
    return plain


def too_large(limit: int) -> Refused:
    """The refusal of a body beyond the limit."""
    return Refused(
        Why.TOO_LARGE, f"more than {limit} bytes unpacked; send fewer spans in a request"
    )
