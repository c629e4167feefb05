"""The pytest plugin: fixtures for the spans of a test and what to say of them, and one report."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Loaded with every pytest run where choreoscope is installed: nothing heavy before it is used.
if TYPE_CHECKING:
    from tui.testing.spans import Spans, Tap
    from tui.testing.workflows import Workflows

SUFFIXES = {
    ".txt": "text",
    ".json": "json",
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".html": "html",
    ".xml": "junit",
    ".sarif": "sarif",
}
_REQUESTS = pytest.StashKey[list[bytes]]()
_TAP = pytest.StashKey["Tap"]()
_SAID = pytest.StashKey[str]()
_OUTPUT = "choreoscope_requests"  # what an xdist worker sends home


def pytest_addoption(parser: pytest.Parser) -> None:
    """--choreoscope-report."""
    parser.getgroup("choreoscope").addoption(
        "--choreoscope-report",
        metavar="[FORMAT=]FILE",
        help="Write a report on the workflows of all tests that use the choreoscope_spans fixture. "
        f"The format by default by the name's end: {', '.join(SUFFIXES)}.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """A report that cannot be written fails before any test runs."""
    config.stash[_REQUESTS] = []
    wanted = config.getoption("choreoscope_report")
    if wanted:
        _target(wanted)


def _target(wanted: str) -> tuple[str, Path]:
    """(format, file). UsageError says what is wrong."""
    from analyzer.reporters.registry import REPORTERS

    formats = [reporter.name for reporter in REPORTERS]
    name, equals, path = wanted.partition("=")
    if not equals:
        name, path = SUFFIXES.get(Path(wanted).suffix, ""), wanted
    if name not in formats:
        raise pytest.UsageError(
            f"--choreoscope-report: {wanted!r} has no known format; FORMAT=FILE with one of "
            f"{', '.join(formats)}"
        )
    if not Path(path).absolute().parent.is_dir():
        raise pytest.UsageError(f"--choreoscope-report: there is no folder for {path!r}")
    return name, Path(path)


@pytest.fixture
def choreoscope_spans(request: pytest.FixtureRequest) -> Generator[Spans]:
    """The spans that this test finishes, of every service in this process.

    Spans of the global tracer provider are seen by themselves (one is set where there is none);
    `choreoscope_spans.provider("orders")` gives a service a provider of its own.
    """
    from tui.testing.spans import Spans

    spans, tap = Spans(), _tap(request.config)
    tap.spans = spans
    yield spans
    tap.spans = None
    if request.config.getoption("choreoscope_report") and len(spans):
        from collectors.sdk import encode

        request.config.stash[_REQUESTS] += encode(spans)


@pytest.fixture
def assert_workflows(choreoscope_spans: Spans) -> Callable[..., Workflows]:
    """`assert_workflows()` on the spans of this test, or on others: `assert_workflows(spans)`.

    Waits until the spans of this test have settled. Options as in `tui.testing.assert_workflows`.
    """
    from tui.testing.workflows import assert_workflows as on

    def call(spans: Any = None, **options: Any) -> Workflows:
        __tracebackhide__ = True
        return on(choreoscope_spans.settle() if spans is None else spans, **options)

    return call


def _tap(config: pytest.Config) -> Tap:
    """On the global tracer provider, which can be set but once in a process."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    from tui.testing.spans import Tap

    if _TAP not in config.stash:
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = TracerProvider()
            trace.set_tracer_provider(provider)
        config.stash[_TAP] = Tap()
        provider.add_span_processor(config.stash[_TAP])
    return config.stash[_TAP]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report; under xdist the workers send their spans home instead."""
    config = session.config
    wanted = config.getoption("choreoscope_report")
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = config.stash[_REQUESTS]
    elif wanted:
        config.stash[_SAID] = _write(config.stash[_REQUESTS], *_target(wanted))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in the spans of an xdist worker."""
    node.config.stash[_REQUESTS] += getattr(node, "workeroutput", {}).get(_OUTPUT, [])


def _write(requests: list[bytes], name: str, path: Path) -> str:
    """Write the report and say so in one line."""
    from analyzer import analyze
    from analyzer.reporters.context import Context
    from analyzer.reporters.registry import REPORTERS
    from analyzer.reporters.units import count
    from collectors.sdk import recording_of_requests
    from tui.outputs import write

    if not requests:
        return "no report: no test with the choreoscope_spans fixture finished a span"
    analysis = analyze(recording_of_requests(requests))
    (reporter,) = [one for one in REPORTERS if one.name == name]
    write(str(path), reporter.render(analysis, Context(sources=("the test run",))))
    instances = count(analysis.instances.height, "workflow instance")
    return f"{instances}, {count(len(analysis.findings), 'finding')}: report in {path}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Where the report is."""
    said = config.stash.get(_SAID, None)
    if said:
        terminalreporter.write_line(f"choreoscope: {said}")
