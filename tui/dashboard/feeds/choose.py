"""Which feed shows a source; what cannot be shown ends the command before the screen is taken."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tui.dashboard.feeds.monitored import Watching
from tui.dashboard.feeds.threaded import Threaded

STORE = "store:"
SIMULATED = "sim:"


def feed_of(sources: Sequence[str], watching: Watching) -> Threaded:
    """The feed for these sources. Raises `collectors.sources.SourceError`."""
    from collectors.sources import resolve

    resolve(sources)  # nothing is read yet
    alone = sources[0] if len(sources) == 1 else ""
    if alone.startswith(STORE):
        from tui.dashboard.feeds.store import StoreFeed

        return StoreFeed(Path(alone.removeprefix(STORE)), watching)
    if alone and _grows(alone):
        from tui.dashboard.feeds.growing import GrowingFeed

        return GrowingFeed(Path(alone), watching)
    from tui.dashboard.feeds.recording import RecordingFeed

    return RecordingFeed(sources, watching.judging)


def _grows(source: str) -> bool:
    """A folder, or a plain file; a pipe is read once."""
    if source == "-" or source.startswith(SIMULATED):
        return False
    return os.path.isdir(source) or os.path.isfile(source)
