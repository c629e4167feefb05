"""Takes OTLP out of the replies of Tempo, Grafana and Jaeger v3, and their base64 ids for hex."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]

# Members that lead to a list of ResourceSpans, the outermost first.
PATHS = (
    ("batches",),  # Tempo /api/traces; Grafana's "download traces"
    ("trace", "resourceSpans"),  # Tempo /api/v2/traces
    ("trace", "batches"),
    ("result", "resourceSpans"),  # Jaeger /api/v3
    ("result", "traces", "resourceSpans"),
    ("data", "resourceSpans"),
    ("data", "batches"),
)
IDS = {"traceId": 16, "trace_id": 16, "spanId": 8, "span_id": 8, "parentSpanId": 8}
_INNER = ("scopeSpans", "instrumentationLibrarySpans", "scope_spans", "spans", "links")


def opened(document: Object) -> tuple[str, object] | None:
    """(path, list of ResourceSpans with hex ids) in an envelope; None where it is none of them.

    Tempo and Jaeger write ids as the protobuf JSON mapping does, in base64; Grafana in hex.
    """
    if not {"scopeSpans", "instrumentationLibrarySpans"}.isdisjoint(document):
        return "", [document]  # one ResourceSpans without the request around it
    for path in PATHS:
        found = _follow(document, path)
        if found is not None and (path[-1] != "batches" or _groups(found)):
            return ".".join(path), _hex(found)
    return None


def _follow(document: Object, path: tuple[str, ...]) -> Any:
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _groups(value: object) -> bool:
    """Whether it is a list of ResourceSpans: other documents have batches too."""
    if not isinstance(value, list):
        return False
    return all(isinstance(item, Mapping) and _GROUP.intersection(item) for item in value)


_GROUP = {"resource", "scopeSpans", "instrumentationLibrarySpans"}


def _hex(value: object) -> object:
    """The same with hex ids; what is no list, object or id stays for the decoder to judge."""
    if isinstance(value, list):
        return [_hex(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    changed = dict(value)
    for name, size in IDS.items():
        if isinstance(changed.get(name), str):
            changed[name] = _hex_id(changed[name], size)
    for name in _INNER:
        if name in changed:
            changed[name] = _hex(changed[name])
    return changed


def _hex_id(text: str, size: int) -> str:
    """Base64 of that many bytes as hex; anything else as it is."""
    if len(text) != (size + 2) // 3 * 4 or not text.endswith("="):
        return text
    try:
        found = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return text
    return found.hex() if len(found) == size else text
