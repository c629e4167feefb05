"""The list of pages. A page is imported when it is first looked at."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tui.dashboard.feed import Snapshot
    from tui.dashboard.screens.base import Page


@dataclass(frozen=True, slots=True)
class Entry:
    """One tab: `key` opens it; the class is `tui.dashboard.screens.<id>.<page>`."""

    id: str
    title: str
    key: str
    page: str

    def load(self) -> type[Page]:
        """Import the class."""
        module = importlib.import_module(f"tui.dashboard.screens.{self.id}")
        return cast("type[Page]", getattr(module, self.page))

    def badge(self, snapshot: Snapshot) -> int | None:
        """The number on the tab, also before the page was opened."""
        return _COUNTS[self.id](snapshot) if self.id in _COUNTS else None


_COUNTS: dict[str, Callable[[Snapshot], int]] = {
    "findings": lambda snapshot: len(
        {(f.severity, f.kind, f.cause, f.service) for f in snapshot.findings}
    ),  # as its page groups them
    "alerts": lambda snapshot: len(snapshot.alerts),
}

PAGES: tuple[Entry, ...] = (
    Entry("instances", "Instances", "1", "Instances"),
    Entry("workflows", "Workflows", "2", "Workflows"),
    Entry("services", "Services", "3", "Services"),
    Entry("coupling", "Coupling", "4", "Coupling"),
    Entry("findings", "Findings", "5", "Findings"),
    Entry("alerts", "Alerts", "6", "Alerts"),
    Entry("log", "Log", "7", "Log"),
)
