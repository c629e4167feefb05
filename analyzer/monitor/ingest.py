"""What the receiving process counts; it leaves the numbers in a file for the one that answers."""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "ingest.json"


class Ingest(msgspec.Struct, frozen=True):
    """Counts since the receiving process began; received = stored + rejected + refused."""

    requests: int = 0  # stored
    spans: int = 0  # stored
    rejected: int = 0  # spans refused inside requests that were taken
    bytes: int = 0  # unpacked
    refused: dict[str, int] = {}  # requests, by reason
    waiting_bytes: int = 0  # for the disk
    groups: int = 0  # written and synced together
    compactions: int = 0
    error: str = ""  # why nothing can be stored or compacted at present


def leave(folder: Path, counts: Ingest) -> None:
    """Put the numbers there, whole, but not synced. Raises OSError."""
    draft = folder / (FILE + ".tmp")
    draft.write_bytes(msgspec.json.encode(counts))
    draft.replace(folder / FILE)


def look(folder: Path) -> Ingest | None:
    """The numbers as they were left last; None where nobody receives."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Ingest)
    except (OSError, msgspec.MsgspecError):
        return None
