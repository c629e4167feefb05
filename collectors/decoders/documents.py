"""Tells by its shape what a JSON document holds and hands it to that format's decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.decoders import envelopes, jaeger, otlp_objects, shapes, zipkin
from collectors.decoders.json_documents import Text, values
from collectors.decoders.json_text import parse, trimmed
from collectors.decoders.members import joined, within
from collectors.decoders.zipkin import ZipkinSpans
from collectors.foreign import Foreign
from collectors.ledger import Ledger, Rejected, Where
from collectors.raw import Builder, RawBatch
from collectors.schema import Quality

OTLP_TRACES = ("resourceSpans", "resource_spans")
OTLP_OTHERS = {
    "resourceLogs": "logs",
    "resource_logs": "logs",
    "resourceMetrics": "metrics",
    "resource_metrics": "metrics",
    "resourceProfiles": "profiles",
    "resource_profiles": "profiles",
}
UNKNOWN = "unknown-shape"  # the reason of a document that no trace format has


@dataclass(slots=True)
class DocumentReader:
    """Decodes documents one by one into a builder; Zipkin spans wait for their other halves."""

    ledger: Ledger  # of the source that is being read
    zipkin: ZipkinSpans
    builder: Builder = field(default_factory=Builder)
    foreign: Foreign | None = None  # what the first unknown document of the source looks like

    def begin(self, ledger: Ledger) -> None:
        """Go on with another source."""
        self.ledger, self.foreign = ledger, None

    def take(self) -> RawBatch:
        """What was decoded so far; begins a new batch."""
        done, self.builder = self.builder, Builder()
        return done.batch()

    def text(self, item: Text) -> None:
        """Decode one JSON text; whatever is wrong with it is counted, never raised."""
        text, where = trimmed(item.text), item.where
        if not text:
            return
        try:
            document, replaced = parse(text)
            before, waiting = len(self.builder), len(self.zipkin.spans)
            self.document(document, where, item.path, item.first)
        except Rejected as bad:
            parts = values(text) if bad.reason == "invalid-json" else []
            if len(parts) < 2:
                self.ledger.reject(where, bad.reason, bad.detail)
            for part in parts if len(parts) > 1 else ():
                self.text(item._replace(text=part))
            return
        if replaced:
            for spans, first in ((self.builder, before), (self.zipkin, waiting)):
                spans.flag(first, "\ufffd", int(Quality.INVALID_UTF8))
            self.ledger.warn("invalid UTF-8 was replaced by U+FFFD")

    def document(self, document: Any, where: Where, path: str = "", first: int = 0) -> None:
        """Decode one parsed document. Raises Rejected for a shape that no format has.

        `path` leads to it where it is a part of a larger one; its first ResourceSpans is that
        one's number `first`.
        """
        if isinstance(document, list):
            for number, item in enumerate(document):
                self._item(item, where, f"{path}[{number}]")
        elif isinstance(document, Mapping):
            self._object(document, where, path, first)
        else:
            raise self._unknown(document)

    def _item(self, item: Any, where: Where, path: str) -> None:
        try:
            self.document(item, where, path)
        except Rejected as bad:
            told = within(path, bad)
            self.ledger.reject(where, told.reason, told.detail)

    def _unknown(self, document: object) -> Rejected:
        found = shapes.foreign(document)
        self.foreign = self.foreign or found
        return Rejected(UNKNOWN, found.message)

    def _object(self, document: Mapping[str, Any], where: Where, path: str, first: int) -> None:
        others = [name for name in OTLP_OTHERS if name in document]
        for name in others:
            self.ledger.skipped[OTLP_OTHERS[name]] += 1
        if any(name in document for name in OTLP_TRACES):
            self.ledger.format("otlp-json")
            otlp_objects.decode(document, self.builder, self.ledger, where, path, first)
        elif jaeger.fits(document):
            self.ledger.format("jaeger-json")
            jaeger.decode(document, self.builder, self.ledger, where, path)
        elif zipkin.fits(document):
            self.ledger.format("zipkin-json")
            self.zipkin.add(document, where)
        elif document and not others:
            self._enveloped(document, where, path)

    def _enveloped(self, document: Mapping[str, Any], where: Where, path: str) -> None:
        found = envelopes.opened(document)
        if found is None:
            raise self._unknown(document)
        inner, groups = found
        self.ledger.format("otlp-json")
        otlp_objects.decode_groups(groups, self.builder, self.ledger, where, joined(path, inner))
