"""Decodes OTLP JSON lines: many at once, and the ones that refuse that one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collectors.decoders import otlp_json
from collectors.decoders.documents import DocumentReader
from collectors.decoders.otlp_json import Irregular
from collectors.ledger import Where
from collectors.raw import RawBatch

Text = tuple[bytes, Where]
PREFIX = b'{"resourceSpans"'


def decode(texts: Sequence[Text], documents: DocumentReader) -> Iterator[RawBatch]:
    """The spans of the lines that are plain OTLP; `documents` takes all others."""
    plain: list[Text] = []
    for text, where in texts:
        if text.startswith(PREFIX) and _is_utf8(text):
            plain.append((text, where))
        else:
            documents.text(text, where)
    if plain:
        documents.ledger.format("otlp-json")
        yield from _halving(plain, documents)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _halving(texts: Sequence[Text], documents: DocumentReader) -> Iterator[RawBatch]:
    """Halves a group that cannot be read in columns until only the culprits are left."""
    try:
        batch = otlp_json.decode([text for text, _ in texts])
    except Irregular:
        if len(texts) == 1:
            documents.text(*texts[0])
            return
        half = len(texts) // 2
        yield from _halving(texts[:half], documents)
        yield from _halving(texts[half:], documents)
        return
    if len(batch.spans):
        yield batch
