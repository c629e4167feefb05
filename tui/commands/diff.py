"""`choreoscope diff`: what changed between two runs, told from chance."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.changes import parse_kinds
from tui.exits import Exit, Stop, verdict
from tui.load import Request, load, report_damage
from tui.outputs import check_writable, write
from tui.ranges import FiniteRange
from tui.terminal import note, style_for

if TYPE_CHECKING:
    from analyzer.comparison import Comparison, Snapshot

FORMATS = ("text", "json", "markdown")  # of analyzer.comparison.report, not imported for --help
MAX_REPORT = 256 << 20  # bytes; a report of 10,000 findings has 10 MB

EPILOG = """\b
Examples:
  choreoscope diff before.jsonl after.jsonl
  choreoscope diff main-report.json traces/ --fail-on gone,new-cycle,slower
  choreoscope diff main-report.json traces/ --output markdown=summary.md

\b
Exit codes: 0 compared (and nothing that --fail-on names), 1 a change that --fail-on names,
2 BEFORE cannot be used, or the two cannot be compared, 3 AFTER is (partly) unreadable or empty.
"""


@click.command("diff", epilog=EPILOG)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option(
    "--key", "keys", multiple=True, metavar="NAME[=ALIAS,...]",
    help="Join recordings by this business key, as in analyze. Repeatable.",
)  # fmt: skip
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text",
              show_default=True, help="Of the report on standard output.")  # fmt: skip
@click.option(
    "--output", "outputs", multiple=True, metavar="FORMAT=PATH",
    help="Write the comparison in this format to a file too. Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-on", "fail_on", multiple=True, metavar="KIND,...",
    help="Exit with 1 where there is a change of this kind: any, new, gone, changed, slower, "
    "worse, or a kind such as new-edge. Repeatable. Default: nothing.",
)  # fmt: skip
@click.option(
    "--alpha", type=FiniteRange(0, 0.5, min_open=True), default=0.01, show_default=True,
    metavar="SHARE", help="Of all that is told, this share may be chance.",
)  # fmt: skip
def command(
    before: str,
    after: str,
    keys: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    fail_on: tuple[str, ...],
    alpha: float,
) -> int:
    """Say what changed between two runs: new, gone, different.

    BEFORE and AFTER are each a source as analyze takes it (a file, a folder, a glob, sim:...) or
    a JSON report of an earlier run. Differences that chance explains are not told.
    """
    files = [_target(text) for text in outputs]
    kinds = parse_kinds(fail_on)
    old = _baseline(before, keys)
    new, damaged = _current(after, keys)
    comparison = _compare(old, new, alpha)
    _report(comparison, [(format_, "-"), *files])
    return verdict(gate_failed=_gate(comparison, kinds), damaged=damaged, nothing=False)


def _target(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    if name not in FORMATS or path in ("", "-"):
        raise click.UsageError(
            f"--output: {text!r} is not FORMAT=PATH with one of {', '.join(FORMATS)}"
        )
    check_writable(path)
    return name, path


def _baseline(name: str, keys: tuple[str, ...]) -> Snapshot:
    """The side that all is held against: anything wrong with it is an error of configuration."""
    try:
        side, damaged = _side(name, keys)
    except Stop as stop:
        raise Stop(Exit.USAGE, f"BEFORE: {stop.message}") from None
    if damaged:
        raise Stop(Exit.USAGE, "BEFORE: a baseline that is partly unreadable is none")
    if not side.instances:
        raise Stop(Exit.USAGE, f"BEFORE: {_shown(name)} has no workflow instance")
    return side


def _current(name: str, keys: tuple[str, ...]) -> tuple[Snapshot, bool]:
    side, damaged = _side(name, keys)
    if not side.instances:
        raise Stop(Exit.INPUT, f"AFTER: {_shown(name)} has no workflow instance")
    return side, damaged


def _side(name: str, keys: tuple[str, ...]) -> tuple[Snapshot, bool]:
    """One side, and whether a part of it could not be read."""
    from analyzer.comparison import snapshot_of

    report = _report_bytes(name)
    if report is None:
        analysis = load(Request((name,), None, keys))
        return snapshot_of(analysis, name), report_damage(analysis)
    from analyzer.comparison.report_file import BadReport, decode

    try:
        side = snapshot_of(decode(report), name)
    except BadReport as bad:
        from analyzer.escape import escape

        raise Stop(Exit.INPUT, escape(f"{name}: {bad}")) from None
    if side.rejected:
        note(f"{_shown(name)}: {side.rejected:,} pieces of its input were unreadable")
    return side, bool(side.rejected)


def _report_bytes(name: str) -> bytes | None:
    """The content of a file that is a JSON report; None for every other source."""
    from analyzer.comparison.report_file import is_report

    try:
        path = Path(name)
        if not path.is_file() or path.stat().st_size > MAX_REPORT:
            return None
        with path.open("rb") as file:
            head = file.read(4096)
            # Traces are told by their beginning, however large they are.
            if head.lstrip()[:1] != b"{" or b'"resourceSpans"' in head:
                return None
            data = head + file.read()
    except (OSError, ValueError):
        return None  # the reader of sources says what is wrong
    return data if is_report(data) else None


def _compare(old: Snapshot, new: Snapshot, alpha: float) -> Comparison:
    from analyzer.comparison import Incomparable, compare

    try:
        return compare(old, new, alpha=alpha)
    except Incomparable as error:
        from analyzer.escape import escape

        raise Stop(Exit.USAGE, escape(f"cannot compare: {error}")) from None


def _report(comparison: Comparison, outputs: list[tuple[str, str]]) -> None:
    from analyzer.comparison.report import FORMATS as RENDERERS
    from analyzer.reporters.style import Style

    for name, path in outputs:
        style = style_for(sys.stdout) if path == "-" else Style()
        write(path, RENDERERS[name](comparison, style))


def _gate(comparison: Comparison, kinds: frozenset[str]) -> bool:
    """Whether a change fails the run; the kinds are told on stderr."""
    found = [change.kind for change in comparison.changes if change.kind in kinds]
    if found:
        said = ", ".join(dict.fromkeys(found))
        note(f"gate: {len(found):,} change{'s' * (len(found) != 1)} ({said})")
    return bool(found)


def _shown(name: str) -> str:
    from analyzer.escape import escape

    return escape(name)[:200]
