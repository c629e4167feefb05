"""Fixtures for every test: where the shared recordings are."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["tui.pytest_plugin"]  # also where an older install lacks the entry point

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recordings that are not part of the project; skips where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared recordings (../shared/data) are not here")
    return folder
