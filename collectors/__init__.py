"""Takes traces in: decodes every format into the columns of `collectors.schema`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collectors.columnar import write_ipc, write_parquet
    from collectors.reading import read, recording_from
    from collectors.recording import Intake, Problem, Recording
    from collectors.source import SourceError

# Looked up on first use: `import collectors` stays free of polars.
_HOMES = {
    "Intake": "recording",
    "Problem": "recording",
    "Recording": "recording",
    "SourceError": "source",
    "read": "reading",
    "recording_from": "reading",
    "write_ipc": "columnar",
    "write_parquet": "columnar",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'collectors' has no attribute {name!r}")
    return getattr(import_module(f"collectors.{_HOMES[name]}"), name)


__all__ = [
    "Intake",
    "Problem",
    "Recording",
    "SourceError",
    "read",
    "recording_from",
    "write_ipc",
    "write_parquet",
]
