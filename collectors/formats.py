"""Tells a stream's format by its first bytes."""

from __future__ import annotations

from enum import StrEnum

from collectors.decoders.json_text import trimmed
from collectors.foreign import by_magic, is_binary, is_text
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
    if not text or _looks_like_json(text) or is_text(head):
        return Format.TEXT
    if by_magic(head) is not None:
        return Format.UNKNOWN
    framing = detect_framing(head, complete=len(head) < HEAD)
    if framing is not None:
        return framing
    return Format.UNKNOWN if is_binary(head) else Format.TEXT


def _looks_like_json(text: bytes) -> bool:
    second = text[1:].lstrip(b" \t\r\n")[:1]
    if text.startswith(b"{"):
        return second in (b'"', b"}", b"")
    return text.startswith(b"[") and second in (b"{", b"[", b"]", b"")


def is_json(head: bytes) -> bool:
    """Whether the stream begins as JSON does, not merely as text."""
    return _looks_like_json(trimmed(head))


# Members that only trace formats have: a text with one of them is traces, however broken.
_MARKS = (b'"resourceSpans"', b'"resource_spans"', b'"scopeSpans"', b'"spanID"', b'"localEndpoint"')


def mentions_traces(head: bytes) -> bool:
    """Whether a text that is no JSON all the same holds pieces of traces."""
    return any(mark in head for mark in _MARKS)


def worth_reading(head: bytes) -> bool:
    """Whether a text that nobody named may be traces: blanks may be what a crash left."""
    return is_json(head) or mentions_traces(head) or not trimmed(head)
