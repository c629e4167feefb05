"""Tells by its shape what a JSON document holds and hands it to that format's decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.decoders import jaeger, otlp_objects
from collectors.decoders.json_text import parse, trimmed
from collectors.decoders.zipkin import ZipkinSpans
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


@dataclass(slots=True)
class DocumentReader:
    """Decodes documents one by one into a builder; Zipkin spans wait for their other halves."""

    ledger: Ledger
    zipkin: ZipkinSpans
    builder: Builder = field(default_factory=Builder)

    def take(self) -> RawBatch:
        """What was decoded so far; begins a new batch."""
        done, self.builder = self.builder, Builder()
        return done.batch()

    def text(self, text: bytes, where: Where) -> None:
        """Decode one JSON text; whatever is wrong with it is counted, never raised."""
        text = trimmed(text)
        if not text:
            return
        try:
            document, replaced = parse(text)
            before = len(self.builder)
            self.document(document, where)
        except Rejected as bad:
            self.ledger.reject(where, bad.reason, bad.detail)
            return
        if replaced:
            self.builder.flag(before, "\ufffd", int(Quality.INVALID_UTF8))
            self.ledger.warn("invalid UTF-8 was replaced by U+FFFD")

    def document(self, document: Any, where: Where) -> None:
        """Decode one parsed document. Raises Rejected for a shape that no format has."""
        if isinstance(document, list):
            for item in document:
                self._item(item, where)
        elif isinstance(document, Mapping):
            self._object(document, where)
        else:
            raise Rejected("unknown-shape", f"a {type(document).__name__}, not an object")

    def _item(self, item: Any, where: Where) -> None:
        try:
            self.document(item, where)
        except Rejected as bad:
            self.ledger.reject(where, bad.reason, bad.detail)

    def _object(self, document: Mapping[str, Any], where: Where) -> None:
        others = [name for name in OTLP_OTHERS if name in document]
        for name in others:
            self.ledger.skipped[OTLP_OTHERS[name]] += 1
        if any(name in document for name in OTLP_TRACES):
            self.ledger.format("otlp-json")
            otlp_objects.decode(document, self.builder, self.ledger, where)
        elif isinstance(document.get("data"), list) or "spans" in document or "spanID" in document:
            self.ledger.format("jaeger-json")
            jaeger.decode(document, self.builder, self.ledger, where)
        elif "traceId" in document and "id" in document:
            self.ledger.format("zipkin-json")
            self.zipkin.add(document, where)
        elif document and not others:
            keys = ", ".join(list(document)[:5])
            raise Rejected("unknown-shape", f"no trace format has the members {keys}")
