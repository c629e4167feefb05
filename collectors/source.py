"""What can be read: one source of spans, and the error where it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SIMULATED = "sim:"
STORE = "store:"


class SourceError(Exception):
    """A source cannot be read at all; the message says what was wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read, standard input, or a simulated system."""

    name: str
    path: Path | None  # None = standard input, simulated, or a store
    size: int  # bytes; 0 where unknown
    chosen: bool  # named by the user, not found in a folder: it must be readable
    obstacle: str = ""  # why it is not read: found in a folder, it does not stop the others
    lost: bool = False  # traces may be behind the obstacle

    @property
    def store(self) -> Path | None:
        """The folder of the durable store that it is."""
        stored = self.path is None and self.name.startswith(STORE)
        return Path(self.name.removeprefix(STORE)) if stored else None

    @property
    def simulated(self) -> bool:
        """Whether `name` is the URI of a scenario."""
        return self.path is None and self.name.startswith(SIMULATED)
