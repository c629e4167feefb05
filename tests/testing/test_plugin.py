"""The plugin in a run of its own: fixtures, the report, and what a failing test shows."""

from __future__ import annotations

import json
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
HEALTHY = """
from opentelemetry import trace
from opentelemetry.trace import SpanKind

def test_traced(assert_workflows):
    tracer = trace.get_tracer("app")  # the global provider: the application knows of no test
    with tracer.start_as_current_span("POST /orders", kind=SpanKind.SERVER):
        pass
    assert_workflows().complete("orders", times=1)

def test_again(assert_workflows, choreoscope_spans):
    assert len(choreoscope_spans) == 0  # of the other test nothing is left
    tracer = choreoscope_spans.provider("billing").get_tracer("app")
    with tracer.start_as_current_span("GET /bills", kind=SpanKind.SERVER):
        pass
    assert_workflows().times(1).has_step("GET /bills", service="billing")
"""
SWALLOWED = """
from tests.testing.shop import Shop

def test_swallowed(assert_workflows, choreoscope_spans):
    shop = Shop(choreoscope_spans.provider, swallow=frozenset({"o3"}))
    for number in range(10):
        shop.order(f"o{number}")
    shop.close()
    assert_workflows(keys=["order.id"]).complete("orders", times=10)
"""


@pytest.fixture
def other(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project elsewhere; every run is a process of its own, for there is one global provider."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return pytester


def run(other: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    command = [sys.executable, "-m", "pytest", "-p", "tui.pytest_plugin", *arguments]
    return other.run(*command)


def test_an_installation_brings_the_plugin() -> None:
    """By its entry point, whose name is the module's: `-p` does not load it a second time."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"tui.pytest_plugin": "tui.pytest_plugin"}
    assert {"pytest_addoption", "assert_workflows"} <= set(vars(import_module("tui.pytest_plugin")))


def test_a_test_asserts_without_any_set_up(other: pytest.Pytester) -> None:
    other.makepyfile(HEALTHY)
    run(other).assert_outcomes(passed=2)


def test_the_report_holds_the_spans_of_all_tests(other: pytest.Pytester) -> None:
    other.makepyfile(HEALTHY)
    result = run(other, "--choreoscope-report", "out.json")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["choreoscope: 2 workflow instances, 0 findings: report in out.json"]
    )
    report = json.loads((other.path / "out.json").read_text())
    assert report["instances"] == {"total": 2, "by_state": {"complete": 2}}


def test_the_report_holds_the_spans_of_all_workers(other: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    other.makepyfile(HEALTHY)
    run(other, "-n", "2", "--choreoscope-report", "text=out").assert_outcomes(passed=2)
    assert "2 workflow instances" in (other.path / "out").read_text()


@pytest.mark.parametrize("wanted", ["out.pdf", "pdf=out", "no/such/folder/out.json"])
def test_a_report_that_cannot_be_written_fails_at_once(other: pytest.Pytester, wanted: str) -> None:
    other.makepyfile(HEALTHY)
    result = run(other, "--choreoscope-report", wanted)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--choreoscope-report: *"])


def test_no_spans_are_said_to_be_none(other: pytest.Pytester) -> None:
    other.makepyfile("def test_nothing(): pass")
    result = run(other, "--choreoscope-report", "out.json")
    result.stdout.fnmatch_lines(["choreoscope: no report: no test *"])
    assert not (other.path / "out.json").exists()


def test_a_swallowed_message_fails_and_its_lanes_are_shown(other: pytest.Pytester) -> None:
    other.makepyfile(SWALLOWED)
    result = run(other)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *AssertionError: 1 of 10 instances of 'orders' is not complete: 1 stuck",
            "E *stuck*",
            "E *process orders.placed*inventory*",
            "E *publish stock.reserved*inventory*expected*",
            "E *missing-step*",
        ]
    )
    assert "workflows.py" not in result.stdout.str().partition("short test summary")[0]


def test_the_plugin_loads_nothing_heavy(other: pytest.Pytester) -> None:
    """Every pytest run of the environment loads it."""
    code = "import sys, tui.pytest_plugin; print(sorted(m.split('.')[0] for m in sys.modules))"
    loaded = other.run(sys.executable, "-c", code).stdout.str()
    for name in ("polars", "numpy", "scipy", "opentelemetry", "networkx"):
        assert f"'{name}'" not in loaded, name
