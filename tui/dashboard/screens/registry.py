"""The list of pages. A page is imported when it is first looked at."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
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


PAGES: tuple[Entry, ...] = (Entry("instances", "Instances", "1", "Instances"),)
