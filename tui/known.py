"""`--baseline` and `--update-baseline`: known findings fail nothing, and everyone is told why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.exits import Exit, Stop
from tui.outputs import check_writable, write
from tui.terminal import note

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.comparison.known import Entry, Verdicts
    from analyzer.finding import Finding

F = TypeVar("F", bound=Callable[..., Any])
SHOWN = 5
MAX_BYTES = 10_000_000


def baseline_options(command: F) -> F:
    """--baseline, --update-baseline."""
    for decorate in (
        click.option(
            "--update-baseline", is_flag=True,
            help="Write to the file of --baseline what is found now, and fail on nothing.",
        ),
        click.option(
            "--baseline", metavar="FILE",
            help="Findings that are known (YAML): they are told as notes and fail nothing.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


def read_baseline(path: str | None, update: bool, where: str = "") -> tuple[Entry, ...] | None:
    """The entries, None without --baseline. Stop or UsageError says what is wrong, by line."""
    if update and where:
        raise click.UsageError("--update-baseline: a part of the instances, by --where, is no base")
    if path is None:
        if update:
            raise click.UsageError("--update-baseline needs --baseline FILE")
        return None
    if update:
        check_writable(path)
        if not Path(path).exists():
            return ()
    return _parsed(path, _text(path))


def _text(path: str) -> str:
    from analyzer.escape import escape

    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        hint = "; --update-baseline writes one" if isinstance(error, FileNotFoundError) else ""
        raise Stop(Exit.USAGE, escape(f"--baseline: {path}: {said}{hint}")) from None
    if len(data) > MAX_BYTES:
        raise Stop(Exit.USAGE, escape(f"--baseline: {path}: larger than {MAX_BYTES:,} bytes"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Stop(Exit.USAGE, escape(f"--baseline: {path}: not UTF-8: {error.reason}")) from None


def _parsed(path: str, text: str) -> tuple[Entry, ...]:
    from analyzer.comparison.known_file import parse
    from analyzer.conformance.yaml_text import DeclarationError
    from analyzer.escape import escape

    try:
        entries = parse(text, path)
    except DeclarationError as error:
        said = "\n".join(escape(str(fault)) for fault in error.faults)
        raise Stop(Exit.USAGE, f"--baseline:\n{said}") from None
    _check_words(path, entries)
    return entries


def _check_words(path: str, entries: Iterable[Entry]) -> None:
    """A misspelt kind would accept nothing for ever."""
    from analyzer.escape import escape
    from tui.words import CAUSES, finding_kinds, nearest

    for entry in entries:
        for what, word, known in (
            ("kind", entry.kind, sorted(finding_kinds())),
            ("cause", entry.cause, list(CAUSES)),
        ):
            if word is not None and not {"*", "?"} & set(word) and word not in known:
                hint = nearest(word, known)
                said = f"--baseline: {path}:{entry.line}: unknown {what} {word!r}; {hint}"
                raise Stop(Exit.USAGE, escape(said))


@dataclass(frozen=True, slots=True)
class Accepted:
    """An analysis held against a baseline."""

    told: Analysis  # what is reported: known findings are notes
    left: Analysis  # what the gates see: without them
    known: Mapping[Finding, str] | None  # those notes, and why they are; None without a baseline


def accepted(
    analysis: Analysis, entries: tuple[Entry, ...] | None, *, whole: bool = True
) -> Accepted:
    """The analysis held against the entries.

    What the baseline says is told on stderr. `whole`: no instance was filtered out, so that an
    entry that speaks of nothing is of no use.
    """
    if entries is None:
        return Accepted(analysis, analysis, None)
    from analyzer.comparison.known import judged

    verdicts = judged(analysis.findings, entries, day(analysis), analysis.instances.height)
    _tell(verdicts, whole)
    reasons = {id(finding): _reason(entry) for finding, entry in verdicts.known}
    notes = {id(one): _as_note(one) for one in analysis.findings if id(one) in reasons}
    told = [notes.get(id(one), one) for one in analysis.findings]
    told.sort(key=lambda one: one.sort_key)
    left = tuple(one for one in analysis.findings if id(one) not in reasons)
    return Accepted(
        replace(analysis, findings=tuple(told)),
        replace(analysis, findings=left),
        {notes[one]: reason for one, reason in reasons.items()},
    )


def _as_note(finding: Finding) -> Finding:
    from analyzer.finding import Severity

    return replace(finding, severity=Severity.NOTE)


def _reason(entry: Entry) -> str:
    owner = f", owner {entry.owner}" if entry.owner else ""
    return entry.reason + owner + (f", until {entry.expires}" if entry.expires else "")


def day(analysis: Analysis) -> date:
    """The day of the analysis's own "now": the same file is judged alike tomorrow."""
    return datetime.fromtimestamp(analysis.as_of_ns // 1_000_000_000, UTC).date()


def _tell(verdicts: Verdicts, whole: bool) -> None:
    from analyzer.reporters.units import count

    known = len(verdicts.known)
    note(f"baseline: {count(known, 'finding')} known, {len(verdicts.new):,} new")
    for what, pairs in (("expired", verdicts.returned), ("outgrown", verdicts.grown)):
        entries = dict.fromkeys(entry for _, entry in pairs)
        _each(entries, f"warning: {what}, so its findings are back")
    if whole:
        _each(verdicts.unused, "warning: nothing is found that it speaks of; it can go")


def _each(entries: Iterable[Entry], what: str) -> None:
    from analyzer.escape import escape

    listed = list(entries)
    for entry in listed[:SHOWN]:
        when = f" on {entry.expires}" if entry.expires and "expired" in what else ""
        owner = f", owner {entry.owner}" if entry.owner else ""
        said = f"baseline line {entry.line}: {entry.named[:200]}{owner}"
        note(escape(f"{said}: {what.replace('expired', f'expired{when}')}"))
    if len(listed) > SHOWN:
        note(f"+{len(listed) - SHOWN:,} more such entries")


def update(path: str, analysis: Analysis, entries: tuple[Entry, ...]) -> None:
    """Write the next baseline: what is found now, with the reasons that were given."""
    from analyzer.comparison.known import renewed
    from analyzer.comparison.known_file import write as text_of
    from analyzer.escape import escape

    made = renewed(analysis.findings, entries, day(analysis), analysis.instances.height)
    write(path, text_of(made))
    new = sum(entry not in entries and entry.reason.startswith("known since") for entry in made)
    note(escape(f"baseline: {len(made):,} entries, {new:,} without a reason of yours, in {path}"))
