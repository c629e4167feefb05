"""What a server of another version does not say, in words, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WORDS = {
    "conformance": "expectations (drift)",
    "data_notes": "the quality of the data",
    "deliveries": "what was told",
    "finished": "instances that have left",
    "hotspots": "hotspots",
    "key_suggestions": "suggested keys",
    "service_edges": "who calls whom",
}


def among(unsaid: Iterable[str], parts: Sequence[str] | None = None) -> str:
    """Those of the parts, as words with commas; "" where nothing is left out. None = of all."""
    found = [name for name in unsaid if parts is None or name.partition(".")[0] in parts]
    return ", ".join(WORDS.get(name, name.replace("_", " ").replace(".", ": ")) for name in found)
