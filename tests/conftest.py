"""For every test: where the shared recordings are, and how examples are drawn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tui.pytest_plugin"]  # also where an older install lacks the entry point

# Wall time on a shared machine says nothing about a test; see docs and benchmarks for speed. One
# commit has the same examples everywhere, so no build fails by chance: `make fuzz` draws new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile("new" if "CHOREOSCOPE_FUZZ_CASES" in os.environ else "same")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recordings that are not part of the project; skips where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared recordings (../shared/data) are not here")
    return folder
