"""Decodes OTLP JSON lines: many at once, and the ones that refuse that one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collectors.decoders import otlp_json
from collectors.decoders.documents import DocumentReader
from collectors.decoders.json_documents import Text
from collectors.decoders.otlp_json import Irregular
from collectors.raw import RawBatch

PREFIX = b'{"resourceSpans"'


def decode(texts: Sequence[Text], documents: DocumentReader) -> Iterator[RawBatch]:
    """The spans of the lines that are plain OTLP; `documents` takes all others."""
    plain: list[Text] = []
    for item in texts:
        if item.text.startswith(PREFIX) and _is_utf8(item.text):
            plain.append(item)
        else:
            documents.text(item)
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
        batch = otlp_json.decode([item.text for item in texts])
    except Irregular:
        if len(texts) == 1:
            documents.text(texts[0])
            return
        half = len(texts) // 2
        yield from _halving(texts[:half], documents)
        yield from _halving(texts[half:], documents)
        return
    if len(batch.spans):
        yield batch
