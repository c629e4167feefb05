"""Assertions on the workflows of a test run; the pytest plugin is `tui.pytest_plugin`."""

from __future__ import annotations

from tui.testing.workflows import Workflows, assert_workflows

__all__ = ["Workflows", "assert_workflows"]
