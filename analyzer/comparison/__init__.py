"""What changed between two runs of a system, told from chance."""

from __future__ import annotations

from analyzer.comparison.change import Change, Comparison
from analyzer.comparison.comparing import Incomparable, compare
from analyzer.comparison.snapshot import Snapshot
from analyzer.comparison.snapshots import snapshot_of

__all__ = ["Change", "Comparison", "Incomparable", "Snapshot", "compare", "snapshot_of"]
