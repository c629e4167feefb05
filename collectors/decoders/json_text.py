"""Parses one JSON text as tolerantly as is safe: bad UTF-8, NaN, lone surrogates, nesting."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from collectors.ledger import Rejected

BOM = b"\xef\xbb\xbf"
BLANKS = b"\0 \t\r\n\x1e"  # a record separator begins each text of a sequence (RFC 7464)
TOLERATED = (b"NaN", b"Infinity", b"\\u")


def trimmed(text: bytes) -> bytes:
    """Without a byte order mark, leading NULs (a crash of a file system leaves them) and blanks."""
    text = text.strip(BLANKS)
    return text[len(BOM) :].lstrip(BLANKS) if text.startswith(BOM) else text


def parse(text: bytes) -> tuple[Any, bool]:
    """(the value, whether invalid UTF-8 was replaced by U+FFFD). Raises Rejected."""
    replaced = False
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text, replaced = text.decode(errors="replace").encode(), True
    try:
        return msgspec.json.decode(text), replaced
    except RecursionError as error:
        raise Rejected("nested-too-deep", "lists or objects are nested too deep") from error
    except msgspec.DecodeError as error:
        return _tolerant(text, str(error)), replaced


def is_tolerable(text: bytes) -> bool:
    """Whether Python's own reader takes what is no JSON by the book."""
    if not any(mark in text for mark in TOLERATED):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def said(text: bytes, problem: str) -> str:
    """Why a text is no JSON, for people; `problem` is what msgspec says."""
    found = _PLACE.search(problem)
    if found is None:
        return "it ends in the middle of a value" if "truncated" in problem else problem
    at = int(found[1])
    begin = _BEGINS.search(text)
    if begin and not text[: begin.start()].strip().startswith((b"{", b"[{", b'"')):
        before = text[: begin.start()].decode(errors="replace")[:QUOTED]
        return f"text stands before the JSON: {json.dumps(before, ensure_ascii=False)}"
    rest = text[at : at + QUOTED].decode(errors="replace")
    return f"no JSON from byte {at + 1:,} on: {json.dumps(rest, ensure_ascii=False)}"


_PLACE = re.compile(r"\(byte (\d+)\)")
# Log drivers put a time in front of each line.
_BEGINS = re.compile(
    rb'(?<=[^\0\s])\s*\{\s*"(?:resourceSpans|resource_spans|traceId|traceID|data)"'
)
QUOTED = 30  # bytes that a problem quotes


def _tolerant(text: bytes, problem: str) -> Any:
    """What Python's own writer produces though it is no JSON; anything else is refused."""
    if not any(mark in text for mark in TOLERATED):
        raise Rejected("invalid-json", said(text, problem))
    try:
        value = json.loads(text)
        return msgspec.json.decode(_without_surrogates(value)) if b"\\u" in text else value
    except RecursionError as error:
        raise Rejected("nested-too-deep", "lists or objects are nested too deep") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise Rejected("invalid-json", said(text, problem)) from error


def _without_surrogates(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return text.decode("utf-8", "replace").encode()
