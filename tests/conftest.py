"""For every test: where the shared recordings are, and how examples are drawn."""

from __future__ import annotations

import gc
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


def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than cores: many tests wait for a child, a browser or a screen at rest."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # as xdist reads it
    of_us = getattr(os, "sched_getaffinity", None)
    return (len(of_us(0)) if of_us else os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: none of them is left for one worker alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What is there by now stays: no collection of garbage looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recordings that are not part of the project; skips where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared recordings (../shared/data) are not here")
    return folder
