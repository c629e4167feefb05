"""`choreoscope learn`: an expectations file from recordings, to be edited and kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from tui.declare import parsed, text_of
from tui.exits import Exit, Stop, verdict
from tui.load import Request, load, nothing_there, report_damage, source_options
from tui.outputs import check_writable, write
from tui.terminal import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.analysis import Analysis
    from analyzer.conformance.learned import LearnedWorkflow

AUTO = "auto"  # no key of its own: stands for those that the spans suggest
HINTS = 5  # on messages that nobody takes
EPILOG = """\b
Examples:
  choreoscope learn traces/ -o expectations.yaml
  choreoscope analyze traces/ --expect expectations.yaml
  choreoscope learn new-traces/ --update expectations.yaml
"""


@click.command("learn", epilog=EPILOG)
@source_options
@click.option("-o", "--output", default="-", metavar="FILE", help="Write a new file.")
@click.option(
    "--update", metavar="FILE",
    help="Bring the evidence in this file up to date. Nothing of yours in it is changed.",
)  # fmt: skip
def command(
    sources: tuple[str, ...],
    as_of: str | None,
    keys: tuple[str, ...],
    allow_empty: bool,
    output: str,
    update: str | None,
) -> int:
    """Write what is expected of the workflows, to be edited.

    Steps, deadlines and outcomes that enough instances carry, each with its numbers in a comment.
    A later --update writes these comments anew and keeps every value, comment and removal of
    yours; what was seen and is not in the file is named in a comment.
    """
    _check(output, update)
    known = _keys_of(update)
    request = Request(sources, as_of, (*keys, *known), "", allow_empty)
    analysis = load(request)
    damaged = report_damage(analysis)
    nothing = nothing_there(analysis, request) or _nothing_learned(analysis, allow_empty)
    if not nothing:
        _write(analysis, [key for key in keys if key != AUTO], output, update)
    return verdict(gate_failed=False, damaged=damaged, nothing=nothing)


def _check(output: str, update: str | None) -> None:
    if update is not None and output != "-":
        raise click.UsageError("--update writes to its own file: leave out -o")
    check_writable(output if update is None else update)
    if output != "-" and os.path.isfile(output):
        from analyzer.escape import escape

        name = escape(output)
        said = f"{name} exists; 'learn --update {name}' keeps what you wrote in it"
        raise Stop(Exit.USAGE, said)


def _keys_of(update: str | None) -> tuple[str, ...]:
    """The business keys of a file that is brought up to date."""
    return () if update is None else _parsed(update)


def _parsed(path: str) -> tuple[str, ...]:
    from analyzer.conformance.yaml_text import DeclarationError
    from analyzer.escape import escape

    try:
        return parsed(path).keys
    except DeclarationError as error:
        said = "\n".join(escape(str(one))[:500] for one in error.faults)
        raise Stop(Exit.USAGE, said) from None


def _nothing_learned(analysis: Analysis, allow_empty: bool) -> bool:
    from analyzer.conformance.learned import MIN_INSTANCES, learned

    if allow_empty or learned(analysis):
        return False
    total = analysis.instances.height
    note(
        f"nothing to learn: of {total:,} instances no workflow has {MIN_INSTANCES} complete ones "
        "(--allow-empty allows it)"
    )
    return True


def _write(analysis: Analysis, keys: list[str], output: str, update: str | None) -> None:
    from analyzer.conformance.learned import learned
    from analyzer.conformance.writing import new_file, updated

    found = learned(analysis)
    hints = [f"a possible key: {one.message}" for one in analysis.key_suggestions]
    hints += [
        f"{one.message}; where that is meant, name who takes it under `external`"
        for one in analysis.findings
        if one.kind == "unconsumed-message" and one.cause == "no-known-consumer"
    ][:HINTS]
    if update is None:
        write(output, new_file(found, keys, hints))
        note(_summary(found))
        return
    try:
        write(update, updated(text_of(update), update, found, hints))
    except ValueError as error:
        from analyzer.escape import escape

        raise Stop(Exit.USAGE, escape(f"cannot update {update}: {error}")) from None
    note(_summary(found))


def _summary(found: Sequence[LearnedWorkflow]) -> str:
    steps = sum(len(one.steps) for one in found)
    required = sum(step.required for one in found for step in one.steps)
    workflows = "1 workflow" if len(found) == 1 else f"{len(found):,} workflows"
    return f"learned {workflows} with {steps:,} steps, {required:,} of them required"
