"""Think: from spans to workflow instances, findings and coupling. Pure functions of frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.conformance.declared import Declared
    from collectors.recording import Recording

__all__ = ["analyze"]


def analyze(
    source: Recording | str | Path | Sequence[str | Path],
    *,
    as_of_ns: int | None = None,
    keys: Sequence[str] = (),
    wall_ns: int | None = None,
    progress: Callable[[str], None] | None = None,
    declared: Declared | None = None,
    later_ns: int = 0,
) -> Analysis:
    """Analyse a recording, or read one from a source or several first.

    `as_of_ns`: the point in time to judge at; by default the recording's own latest end.
    `later_ns`: so long after that end instead. `declared`: expectations and contracts to hold it
    against (`analyzer.conformance.file.parse` reads a file of them).
    `keys`: business keys that join traces, "order.id" or "order.id=app.order_id,orderId".
    Raises `collectors.SourceError`, `analyzer.stitching.keys.KeySyntaxError`.
    """
    from analyzer.conformance.declared import NOTHING
    from analyzer.pipeline import analyze_recording
    from collectors.recording import Recording
    from collectors.telemetry import following, stage

    if not isinstance(source, Recording):
        from collectors import read

        source = read([source] if isinstance(source, str | Path) else list(source))
    with stage("analyze", spans=len(source.spans)), following(progress) as tell:
        return analyze_recording(
            source,
            as_of_ns=as_of_ns,
            keys=tuple(keys),
            wall_ns=wall_ns,
            progress=tell,
            declared=declared or NOTHING,
            later_ns=later_ns,
        )
