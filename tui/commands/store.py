"""`choreoscope store`: look after what was received."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.exits import Exit, Stop
from tui.terminal import emit, note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.store.verify import Place, Verdict

EPILOG = """\b
Examples:
  choreoscope store verify ./traces
  choreoscope store compact ./traces
  choreoscope store export ./traces -o export --format delta

\b
Exit codes: 0 all is readable, 2 the store is in use or the folder cannot be written,
3 something in the store is damaged.
"""
SHOWN = 100  # places of one kind

folder_argument = click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")


@click.group("store", epilog=EPILOG)
def command() -> None:
    """Look after what 'serve' keeps.

    DIR is the folder of 'serve --store'. 'store:DIR' is a source for every other command.
    """


@command.command("verify")
@folder_argument
def verify(folder: Path) -> int:
    """Read all of it and name every damaged place; changes nothing. Also while 'serve' runs."""
    from collectors.source import SourceError
    from collectors.store.verify import verify as verified

    try:
        found = verified(folder)
    except SourceError as error:
        raise _stop(Exit.INPUT, error) from None
    _tell(found)
    return Exit.INPUT if found.damaged else Exit.CLEAN


@command.command("compact")
@folder_argument
def compact(folder: Path) -> int:
    """Turn the log into Parquet now. The store must not be in use."""
    from collectors.source import SourceError
    from collectors.store import manifest
    from collectors.store.layout import found
    from collectors.store.store import Store

    try:
        found(folder)  # a folder that is no store is not made one
        with Store(folder, compacting=False) as store:
            before = manifest.load(store.layout).compacted
            store.compact()
            after = manifest.load(store.layout).compacted
    except SourceError as error:
        raise _stop(Exit.USAGE, error) from None
    except OSError as error:
        raise _stop(Exit.USAGE, f"{folder}: {error.strerror or error}") from None
    new = [one for one in after if one not in before]
    spans, damaged = sum(one.spans for one in new), sum(one.damaged for one in new)
    emit(f"{sum(one.requests for one in new):,} requests, {spans:,} spans in {len(new)} files\n")
    if damaged:
        note(f"{damaged:,} places could not be read and are in quarantine")
    return Exit.INPUT if damaged else Exit.CLEAN


@command.command("export")
@folder_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A new or an empty folder.",
)
@click.option(
    "--format", "format_", type=click.Choice(("parquet", "delta")), default="parquet",
    show_default=True, help="parquet is a source again; delta needs the extra of that name.",
)  # fmt: skip
def export(folder: Path, output: Path, format_: str) -> int:
    """Write every span for other programs, also while 'serve' runs."""
    from collectors.source import SourceError
    from collectors.store.export import ExportError
    from collectors.store.export import export as exported

    try:
        intake = exported(folder, output, format_)
    except ExportError as error:
        raise _stop(Exit.USAGE, error) from None
    except SourceError as error:
        raise _stop(Exit.INPUT, error) from None
    except OSError as error:
        raise _stop(Exit.USAGE, f"{output}: {error.strerror or error}") from None
    emit(f"{intake.spans:,} spans\n")
    if intake.damaged:
        note(f"{sum(intake.rejected.values()):,} could not be read; see 'store verify'")
    return Exit.INPUT if intake.damaged else Exit.CLEAN


@command.command("repair")
@folder_argument
def repair(folder: Path) -> int:
    """Make a lost or damaged manifest anew. Nothing is deleted. The store must not be in use."""
    from analyzer.escape import escape
    from collectors.source import SourceError
    from collectors.store.repair import repair as repaired

    try:
        done = repaired(folder)
    except SourceError as error:
        raise _stop(Exit.USAGE, error) from None
    except OSError as error:
        raise _stop(Exit.USAGE, f"{folder}: {error.strerror or error}") from None
    for one in done or ("nothing to repair",):
        emit(f"{escape(one)}\n")
    return Exit.CLEAN


def _stop(code: Exit, error: object) -> Stop:
    from analyzer.escape import escape

    return Stop(code, escape(str(error), limit=600))


def _tell(found: Verdict) -> None:
    _places("damaged", found.damaged)
    _places("note", found.notes)
    emit(f"{found.requests:,} requests; {found.files:,} Parquet files with {found.spans:,} spans, ")
    emit(f"{found.segments:,} segments of the log; {found.bytes:,} bytes\n")
    if found.quarantined:
        emit(f"{found.quarantined:,} damaged before and in quarantine\n")
    count = len(found.damaged)
    emit(f"{count:,} damaged place{'s' * (count != 1)}\n" if count else "no damage\n")


def _places(label: str, places: Sequence[Place]) -> None:
    from analyzer.escape import escape

    for place in places[:SHOWN]:
        where = f", bytes {place.begin}-{place.end}" if place.end else ""
        emit(f"{label}: {escape(place.file)}{where}: {escape(place.reason, limit=300)}\n")
    if len(places) > SHOWN:
        emit(f"{label}: +{len(places) - SHOWN:,} more\n")
