"""From what the user typed to an analysis: the part that every command shares."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.exits import Exit, Stop
from tui.terminal import note, progress, stages

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

F = TypeVar("F", bound=Callable[..., Any])

_KEY = re.compile(r"[^\s=,]+(=[^\s=,]+(,[^\s=,]+)*)?")
PROBLEMS_SHOWN = 5
WARNINGS_SHOWN = 3
WARNING_LIMIT = 600  # characters: four paths and what lies there


@dataclass(frozen=True, slots=True)
class Request:
    """The options that every command with sources takes."""

    sources: tuple[str, ...]
    as_of: str | None = None
    keys: tuple[str, ...] = ()
    where: str = ""
    allow_empty: bool = False
    expect: str | None = None
    asyncapi: tuple[str, ...] = ()
    eventcatalog: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The options that decide which instances there are and how they are judged."""
        keys = tuple(word for key in self.keys for word in ("--key", key))
        expect = ("--expect", self.expect) if self.expect else ()
        return (*keys, *(("--as-of", self.as_of) if self.as_of else ()), *expect)


def source_options(command: F) -> F:
    """SOURCE..., --as-of, --key, --allow-empty."""
    for decorate in (
        click.option("--allow-empty", is_flag=True, help="Nothing to analyse is no error."),
        click.option(
            "--key", "keys", multiple=True, metavar="NAME[=ALIAS,...]",
            help="Join by this business key, e.g. order.id=app.order_id,orderId; 'auto' takes "
            "those that the spans suggest. Repeatable.",
        ),
        click.option(
            "--as-of", metavar="TIME",
            help="The 'now' to judge by: RFC 3339, epoch nanoseconds, or +DURATION after the last "
            "event in the recording, which is the default.",
        ),
        click.argument("sources", nargs=-1, required=True, metavar="SOURCE..."),
    ):  # fmt: skip
        command = decorate(command)
    return command


def where_option(command: F) -> F:
    """--where."""
    return click.option(
        "--where", default="", metavar="QUERY",
        help="Only instances that match, e.g. 'state:stuck,late age:>5m -wf:test*'.",
    )(command)  # fmt: skip


def load(request: Request) -> Analysis:
    """The analysis of all instances. Raises Stop, or click.UsageError, with the exit code."""
    as_of, later = _as_of(request.as_of)
    check_keys(request.keys)
    if request.where:
        check_where(request.where)
    declared = _declared(request)
    more: dict[str, Any] = {"later_ns": later} if later else {}
    if declared is not None:
        more["declared"] = declared
    recording = _read(request.sources)
    _report_warnings(recording)
    return _judge(recording, as_of, request.keys, **more)


def _declared(request: Request) -> Any:
    """What the user declared; None where that is nothing."""
    if not (request.expect is not None or request.asyncapi or request.eventcatalog):
        return None
    from tui.declare import declare

    return declare(request.expect, request.asyncapi, request.eventcatalog)


def _read(sources: tuple[str, ...]) -> Any:
    from analyzer.escape import escape
    from collectors import SourceError, read
    from collectors.telemetry import stage

    try:
        with progress("reading") as meter, stage("read"):
            return read(sources, progress=meter)
    except SourceError as error:
        raise Stop(Exit.INPUT, escape(error)) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise Stop(Exit.INPUT, escape(f"{place}{error.strerror or error}")) from None


def _report_warnings(recording: Any) -> None:
    """What was left out, or not as it should be, though the rest is whole."""
    from analyzer.escape import escape
    from collectors.recording import Recording

    warnings = recording.intake.warnings if isinstance(recording, Recording) else ()
    for warning in warnings[:WARNINGS_SHOWN]:
        note(escape(warning, limit=WARNING_LIMIT))
    if len(warnings) > WARNINGS_SHOWN:
        note(f"+{len(warnings) - WARNINGS_SHOWN:,} more warnings")


def _check_now(recording: Any, as_of: int | None) -> None:
    """A moment before all that was recorded is a slip of the pen, and would find nothing wrong."""
    if as_of is None or not recording.spans.height:
        return
    from analyzer.reporters.units import moment

    first, last = recording.spans["start_ns"].min(), recording.spans["end_ns"].max()
    if as_of < first:
        raise click.UsageError(
            f"--as-of: {moment(as_of)} is before the first span; "
            f"the recording goes from {moment(first)} to {moment(last)}"
        )
    if as_of < last:
        note(
            f"--as-of lies before the last event ({moment(last)}): "
            "what was recorded after it counts all the same"
        )


def _report_keys(recording: Any, keys: tuple[str, ...]) -> None:
    """A key that no span carries joins nothing: most likely its name is wrong."""
    from analyzer.escape import escape
    from analyzer.stitching.keys import KeySyntaxError, carried, parse_keys

    try:
        wanted = parse_keys([key for key in keys if key != "auto"])
    except KeySyntaxError:
        return  # the analysis says it
    for key in wanted:
        if recording.spans.height and not carried(recording, key):
            near = _near(key.name, recording.attributes["key"].cast(str).unique().to_list())
            note(escape(f"--key: no span carries {key.name!r}{near}"))


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    names = {one.lower(): one for one in sorted(known)}
    near = get_close_matches(name.lower(), names, n=1)
    return f"; did you mean {names[near[0]]!r}?" if near else ""


def _judge(recording: Any, as_of: int | None, keys: tuple[str, ...], **more: Any) -> Analysis:
    from analyzer import analyze
    from analyzer.stitching.keys import KeySyntaxError

    _check_now(recording, as_of)
    declared = more.get("declared")
    _report_keys(recording, (*keys, *(declared.expectations.keys if declared else ())))
    try:
        with stages() as stage:
            return analyze(recording, as_of_ns=as_of, keys=keys, progress=stage, **more)
    except KeySyntaxError as error:
        raise click.UsageError(f"--key: {error}") from None


def nothing_there(analysis: Analysis, request: Request, kept: int | None = None) -> bool:
    """Whether nothing was analysed, which is an error unless the user allows it; says so."""
    total = analysis.instances.height
    if request.allow_empty or (total and kept != 0):
        return False
    if not total:
        spans = analysis.recording.spans.height
        note(f"nothing to analyse: {spans:,} spans, no workflow instance (--allow-empty allows it)")
    else:
        note(f"nothing to analyse: --where keeps 0 of {total:,} instances")
    return True


def report_damage(analysis: Analysis) -> bool:
    """Whether some of the input was unreadable; the first places are named on stderr."""
    from analyzer.escape import escape

    intake = analysis.recording.intake
    if not intake.damaged:
        return False
    for problem in intake.problems[:PROBLEMS_SHOWN]:
        line = f":{problem.line}" if problem.line is not None else ""
        said = f"{problem.source[:200]}{line}: {problem.reason}: {problem.detail[:300]}"
        note(escape(said))
    lost = sum(intake.rejected.values())
    hidden = lost - min(len(intake.problems), PROBLEMS_SHOWN)
    if hidden > 0:
        note(f"+{hidden:,} more")
    read = analysis.recording.spans.height
    what = "part of the input" if read else "nothing of the input"
    note(f"{what} could {'not ' if read else ''}be read: {lost:,} rejected")
    return True


def check_where(query: str) -> None:
    """A filter that cannot be understood ends the command before anything is read."""
    from analyzer.escape import visible
    from analyzer.where import WhereError, compile_where

    try:
        compile_where(query, 0)
    except WhereError as error:
        before, token = visible(query[: error.start]), visible(query[error.start : error.end])
        after = visible(query[error.end :])
        pointer = " " * len(before) + "^" * max(len(token), 1)
        raise click.UsageError(f"--where: {error}\n  {before}{token}{after}\n  {pointer}") from None


def _as_of(text: str | None) -> tuple[int | None, int]:
    """(nanosecond, None where it is the recording's own end; nanoseconds after that end)."""
    if text is None:
        return None, 0
    from analyzer.reporters.units import parse_duration, parse_time

    try:
        return (None, parse_duration(text[1:])) if text[:1] == "+" else (parse_time(text)[0], 0)
    except ValueError as error:
        raise click.UsageError(f"--as-of: {error}") from None


def check_keys(keys: tuple[str, ...]) -> None:
    """A key that cannot be one ends the command before anything is read."""
    for key in keys:
        if not _KEY.fullmatch(key):
            raise click.UsageError(f"--key: {key!r} is not NAME or NAME=ALIAS,...")
