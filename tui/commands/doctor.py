"""`choreoscope doctor`: what this installation and terminal can do."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import click

from tui.exits import Exit
from tui.terminal import can_unicode, colours, emit, width

# Distribution, and the module that must import.
PACKAGES = (
    ("polars", "polars"),
    ("pyarrow", "pyarrow"),
    ("numpy", "numpy"),
    ("scipy", "scipy"),
    ("networkx", "networkx"),
    ("msgspec", "msgspec"),
    ("ptars", "ptars"),
    ("opentelemetry-proto", "opentelemetry.proto.trace.v1.trace_pb2"),
    ("isal", "isal.igzip"),
    ("zstandard", "zstandard"),
    ("click", "click"),
    ("rich", "rich"),
    ("renderdag", "renderdag"),
    ("textual", "textual"),
)
# format -> what it takes to read it
FORMATS = (
    ("OTLP JSON", "msgspec"),
    ("OTLP protobuf", "ptars"),
    ("Jaeger JSON", "msgspec"),
    ("Zipkin JSON", "msgspec"),
    ("Parquet", "pyarrow"),
    ("Arrow IPC", "pyarrow"),
    ("gzip", "isal"),
    ("zstd", "zstandard"),
)
# Shown with their value; of other variables of ours only that they are set, for they may be secret.
SHOWN = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS", "LANG", "LC_ALL", "PYTHONIOENCODING",
         "PYTHONUTF8", "POLARS_MAX_THREADS", "CHOREOSCOPE_ASCII", "CHOREOSCOPE_DEBUG",
         "CHOREOSCOPE_MAX_LINE")  # fmt: skip

EPILOG = """\b
Exit codes: 0 all is well, 2 a package is missing or does not import.
"""


@click.command("doctor", epilog=EPILOG)
def command() -> int:
    """Say what this installation and terminal can do."""
    broken = {name: reason for name, module in PACKAGES if (reason := _import_error(module))}
    for line in [*_versions(broken), "", *_terminal(), "", *_formats(broken), "", *_environment()]:
        emit(f"{line}\n")
    return Exit.USAGE if broken else Exit.CLEAN


def _import_error(module: str) -> str:
    try:
        import_module(module)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _versions(broken: dict[str, str]) -> Iterator[str]:
    from analyzer.escape import escape

    yield f"choreoscope {_version('choreoscope')}"
    yield f"Python {platform.python_version()} {platform.python_implementation()}, " + escape(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )
    for name, _ in PACKAGES:
        fault = f"  BROKEN: {escape(broken[name])[:200]}" if name in broken else ""
        yield f"  {name:<20} {_version(name)}{fault}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _terminal() -> Iterator[str]:
    out = sys.stdout
    yield "Terminal"
    yield f"  standard output      {'a terminal' if out.isatty() else 'no terminal'}"
    yield f"  progress on stderr   {_yes(sys.stderr.isatty())}"
    yield f"  colour               {_yes(colours(out))}"
    yield f"  characters           {'Unicode' if can_unicode(out) else 'ASCII'} ({out.encoding})"
    yield f"  width                {width(out)} columns"


def _formats(broken: dict[str, str]) -> Iterator[str]:
    yield "Input that can be read"
    for name, needs in FORMATS:
        yield f"  {name:<20} {'no: ' + needs + ' is broken' if needs in broken else 'yes'}"


def _environment() -> Iterator[str]:
    from analyzer.escape import escape

    yield "Environment in force"
    names = sorted({*SHOWN, *(n for n in os.environ if n.startswith("CHOREOSCOPE_"))})
    there = [name for name in names if name in os.environ]
    for name in there:
        value = os.environ[name] if name in SHOWN else "(set)"
        yield f"  {escape(name, limit=40)}={escape(value, limit=100)}"
    if not there:
        yield "  none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
