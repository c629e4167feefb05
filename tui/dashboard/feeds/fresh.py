"""Whether a live source still gives spans."""

from __future__ import annotations

from tui.dashboard.feed import Phase

STALE_S = 30.0  # without a span


class Fresh:
    """When the last span came."""

    def __init__(self) -> None:
        self.spans = 0
        self._last_ns = 0
        self._begun = False

    def seen(self, spans: int, latest_ns: int, now_ns: int) -> None:
        """So many spans have come since the start; the latest one ended then."""
        if spans > self.spans:
            waited = not self._begun and latest_ns  # what lay there already is as old as it says
            self._last_ns = min(latest_ns, now_ns) if waited else now_ns
            self.spans = spans
        self._begun = True

    def phase(self, now_ns: int) -> tuple[Phase, str]:
        """LIVE, or STALE and for how long; a source that never gave anything is not stale."""
        still = (now_ns - self._last_ns) / 1e9
        if self.spans and still > STALE_S:
            return Phase.STALE, f"no span for {_rounded(still)}"
        return Phase.LIVE, ""


def _rounded(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
