"""Cuts a JSON document that spans many lines into the requests, traces or spans it lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from collectors.decoders.json_text import QUOTED, is_tolerable, trimmed
from collectors.ledger import Ledger, Where

MAX_DOCUMENT = 2 << 30  # bytes
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_BLANKS = re.compile(r"[\s,]*")


class Text(NamedTuple):
    """A JSON text, and where it stands: in which place of the document it was cut from."""

    text: bytes
    where: Where
    path: str = ""
    first: int = 0  # which of the document's resourceSpans its first one is


class _Jaeger(msgspec.Struct):
    data: list[msgspec.Raw]


class _Otlp(msgspec.Struct, rename="camel"):
    resource_spans: list[msgspec.Raw]


def is_document(head: bytes) -> bool:
    """Whether the first line is no JSON by itself but begins something that goes on below."""
    first, newline, _ = trimmed(head).partition(b"\n")
    first = first.rstrip()
    if not newline or not first.endswith((b"{", b"[", b",", b":")):
        return False
    try:
        msgspec.json.decode(first, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return True
    return False


def pieces(text: bytes, ledger: Ledger, where: Where) -> Iterator[Text]:
    """The parts of one document, or of several on end, each with the line it begins on."""
    rest, done = trimmed(text), 0
    offset = text.find(rest[:64]) if rest else 0
    while rest:
        line = text.count(b"\n", 0, offset + done) + 1
        end = _end(rest)
        if end is None and is_tolerable(rest):
            yield Text(rest, Where(where.source, line))
            return
        if end is None:
            yield from _salvaged(rest, line, ledger, where)
            return
        yield from _split(rest[:end], Where(where.source, line))
        blank = len(rest[end:]) - len(rest[end:].lstrip(b"\0 \t\r\n"))
        done, rest = done + end + blank, rest[end + blank :]


def _end(text: bytes) -> int | None:
    """Where the first value ends; None where it is broken."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except RecursionError:
        return None
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        return int(found[1]) - 1 if found else None  # it counts the character it stumbles over
    return len(text)


def _split(text: bytes, where: Where) -> Iterator[Text]:
    """The elements of the list that the document is or holds; else all of it."""
    if text.startswith(b"["):
        listed = msgspec.json.decode(text, type=list[msgspec.Raw])
        for number, (piece, place) in enumerate(_placed(text, listed, where)):
            yield Text(piece, place, f"[{number}]")
        return
    for shape, name in ((_Jaeger, "data"), (_Otlp, "resource_spans")):
        try:
            listed = getattr(msgspec.json.decode(text, type=shape), name)
        except msgspec.DecodeError:
            continue
        if not listed and name == "data":  # perhaps an error reply: the whole tells
            break
        for number, (piece, place) in enumerate(_placed(text, listed, where)):
            if name == "data":
                yield Text(piece, place, f"data[{number}]")
            else:
                yield Text(b'{"resourceSpans":[%b]}' % piece, place, first=number)
        return
    yield Text(text, where)


def _placed(
    text: bytes, elements: list[msgspec.Raw], where: Where
) -> Iterator[tuple[bytes, Where]]:
    """Each element with the line of the text that it begins on."""
    line, at = where.line or 1, 0
    for element in elements:
        piece = bytes(element)
        begin = text.find(piece, at)
        line += text.count(b"\n", at, begin)
        yield piece, Where(where.source, line)
        line += piece.count(b"\n")
        at = begin + len(piece)


def _salvaged(text: bytes, line: int, ledger: Ledger, where: Where) -> Iterator[Text]:
    """The whole elements before the break, and one rejection that names the line of the break."""
    whole = text.decode(errors="replace")
    decoder, position = json.JSONDecoder(), whole.find("[") + 1
    wrap, number = _wrapping(whole[:position]), 0
    try:
        while True:
            position = _BLANKS.match(whole, position).end()  # type: ignore[union-attr]
            value, end = decoder.raw_decode(whole, position)
            at = line + whole.count("\n", 0, position)
            yield Text(wrap % json.dumps(value).encode(), Where(where.source, at), first=number)
            number, position = number + 1, end
    except RecursionError:
        at, detail = position, "lists or objects are nested too deep"
    except json.JSONDecodeError as error:
        at, detail = error.pos, _break(whole, error)
    broken = Where(where.source, line + whole.count("\n", 0, at))
    ledger.reject(broken, "invalid-json", detail)


def _wrapping(before: str) -> bytes:
    """What an element of the list that begins behind `before` stands in."""
    if "esourceSpans" not in before:
        return b'{"batches":[%b]}' if '"batches"' in before else b"%b"
    envelope = '"trace"' in before or '"result"' in before
    return b'{"trace":{"resourceSpans":[%b]}}' if envelope else b'{"resourceSpans":[%b]}'


def _break(whole: str, error: json.JSONDecodeError) -> str:
    rest = whole[error.pos : error.pos + QUOTED]
    if not rest.strip() or error.msg.startswith("Unterminated"):
        return "the document ends in the middle of a value"
    return f"the document breaks at column {error.colno}: {json.dumps(rest, ensure_ascii=False)}"
