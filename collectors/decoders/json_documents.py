"""Cuts a JSON document that spans many lines into the requests, traces or spans it lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from collectors.decoders.json_text import BLANKS, QUOTED, is_tolerable, trimmed
from collectors.ledger import Ledger, Where

MAX_DOCUMENT = 2 << 30  # bytes
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_BLANKS = re.compile(r"[\s,]*")
_BETWEEN = re.compile(rb"[\0\s,\x1e]*")  # of JSON text sequences too
_LEADING = re.compile(rb"[\0\s]*(?:\xef\xbb\xbf)?[\0\s,\x1e]*")
# Where a document begins again behind one that breaks off.
_AGAIN = re.compile(
    rb'\n(?=\[\s*\{|\{\s*"(?:resourceSpans|resource_spans|batches|trace|result|data)"\s*:)'
)


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
    leading = _LEADING.match(text)
    at = leading.end() if leading else 0
    line = 1 + text.count(b"\n", 0, at)
    while at < len(text):
        here = Where(where.source, line)
        end = _end(text, at)
        if end is not None:
            yield from _split(text[at:end], here)
        else:
            again = _AGAIN.search(text, at + 1)
            end = again.end() if again else len(text)
            yield from _odd(text[at:end], ledger, here)
        after = _skipped(text, end)
        line += text.count(b"\n", at, after)
        at = after


def values(text: bytes) -> list[bytes]:
    """The objects and lists that stand on end in one line, as `curl >>` leaves them."""
    found, at = [], 0
    if text[:1] not in (b"{", b"["):
        return [text]
    while at < len(text):
        end = _end(text, at) or len(text)
        found.append(text[at:end])
        at = _skipped(text, end)
    return found


def _skipped(text: bytes, at: int) -> int:
    """Where the next value begins."""
    blanks = _BETWEEN.match(text, at)
    return blanks.end() if blanks else at


def _end(text: bytes, at: int) -> int | None:
    """Where the value that begins there ends; None where it is broken."""
    try:
        msgspec.json.decode(memoryview(text)[at:], type=msgspec.Raw)
    except RecursionError:
        return None
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))  # it counts the character it stumbles over
        return at + int(found[1]) - 1 if found else None
    return len(text)


def _odd(text: bytes, ledger: Ledger, where: Where) -> Iterator[Text]:
    """A document that is no JSON by the book."""
    if is_tolerable(text):
        yield Text(text, where)
    else:
        yield from _salvaged(text.rstrip(BLANKS), where.line or 1, ledger, where)


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
