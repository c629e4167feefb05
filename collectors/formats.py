"""Tells a stream's format by its first bytes."""

from __future__ import annotations

from enum import StrEnum

from collectors.decoders.json_text import trimmed
from collectors.framing import Framing, detect_framing
from collectors.streams import HEAD


class Format(StrEnum):
    """What a stream holds."""

    EMPTY = "empty"
    TEXT = "json"  # lines or one document; the shape of each tells OTLP, Jaeger, Zipkin apart
    PARQUET = "parquet"
    ARROW_FILE = "arrow-file"
    ARROW_STREAM = "arrow-stream"
    UNKNOWN = "unknown"


_MAGIC = (
    (b"PAR1", Format.PARQUET),
    (b"ARROW1\0\0", Format.ARROW_FILE),
    (b"\xff\xff\xff\xff", Format.ARROW_STREAM),
)


def detect(head: bytes) -> Format | Framing:
    """The format of the stream that begins with `head` (at least `HEAD` bytes, or all of it)."""
    if not head:
        return Format.EMPTY
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    text = trimmed(head)
    if not text or _looks_like_json(text):
        return Format.TEXT
    framing = detect_framing(head, complete=len(head) < HEAD)
    if framing is not None:
        return framing
    return Format.UNKNOWN if _binary(head) else Format.TEXT


def _looks_like_json(text: bytes) -> bool:
    second = text[1:].lstrip(b" \t\r\n")[:1]
    if text.startswith(b"{"):
        return second in (b'"', b"}", b"")
    return text.startswith(b"[") and second in (b"{", b"[", b"]", b"")


def _binary(head: bytes) -> bool:
    """Whether control characters abound: no text, however broken, has one in twenty."""
    control = sum(byte < 9 or 13 < byte < 32 for byte in head[:1000])
    return control * 20 > min(len(head), 1000)


def is_json(head: bytes) -> bool:
    """Whether the stream begins as JSON does, not merely as text."""
    return _looks_like_json(trimmed(head))
