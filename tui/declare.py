"""Reads what the user declared: an expectations file, AsyncAPI documents, EventCatalog folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import click

from tui.exits import Exit, Stop
from tui.terminal import note

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.conformance.declared import Contract, Declared
    from analyzer.conformance.expectations import Expectations, Reference
    from analyzer.conformance.yaml_text import Fault

F = TypeVar("F", bound=Callable[..., object])
MAX_FILE = 10_000_000  # bytes
MAX_PAGES = 20_000  # of a catalog
FAULTS_SHOWN = 50


def expect_option(command: F) -> F:
    """--expect."""
    return click.option(
        "--expect", metavar="FILE",
        help="What is expected of the workflows, as 'choreoscope learn' writes it.",
    )(command)  # fmt: skip


def contract_options(command: F) -> F:
    """--asyncapi, --eventcatalog."""
    for decorate in (
        click.option(
            "--eventcatalog", "catalogs", multiple=True, metavar="FOLDER",
            help="Hold the services of an EventCatalog against what ran. Repeatable.",
        ),
        click.option(
            "--asyncapi", "documents", multiple=True, metavar="[SERVICE=]FILE",
            help="Hold an AsyncAPI 2 or 3 document against what ran. Repeatable.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


def declare(
    expect: str | None, documents: tuple[str, ...] = (), catalogs: tuple[str, ...] = ()
) -> Declared:
    """All that was declared. Raises `Stop` with every error of every file, a line each."""
    from analyzer.conformance.declared import Declared
    from analyzer.conformance.expectations import Expectations
    from analyzer.conformance.yaml_text import DeclarationError

    faults: list[Fault] = []
    expectations = Expectations()
    contracts: list[Contract] = []
    if expect is not None:
        try:
            expectations = parsed(expect)
        except DeclarationError as error:
            faults += error.faults
    for read in _contracts(expectations, documents, catalogs):
        try:
            contracts.append(read())
        except DeclarationError as error:
            faults += error.faults
    if faults:
        raise Stop(Exit.USAGE, _told(faults))
    return Declared(expectations, tuple(contracts))


def parsed(path: str) -> Expectations:
    """The expectations of a file. Raises `DeclarationError`; `Stop` where it cannot be read."""
    from analyzer.conformance.file import parse

    return parse(text_of(path), path)


def _told(faults: list[Fault]) -> str:
    from analyzer.escape import escape

    lines = [escape(str(one))[:500] for one in faults[:FAULTS_SHOWN]]
    hidden = len(faults) - len(lines)
    return "\n".join([*lines, *([f"+{hidden:,} more"] if hidden > 0 else [])])


def _contracts(
    expectations: Expectations, documents: tuple[str, ...], catalogs: tuple[str, ...]
) -> Iterator[Callable[[], Contract]]:
    """A reader for each document, those of the expectations file first."""
    from analyzer.conformance.expectations import Reference

    for one in expectations.asyncapi:
        yield lambda one=one: _document(_next_to(one), one.service)  # type: ignore[misc]
    for text in documents:
        service, path = _named(text)
        yield lambda path=path, service=service: _document(path, service)  # type: ignore[misc]
    folders = [_next_to(one) for one in expectations.eventcatalog]
    for path in (*folders, *(Reference(path).path for path in catalogs)):
        yield lambda path=path: _catalog(path)  # type: ignore[misc]


def _next_to(reference: Reference) -> str:
    """A path of the expectations file, which is relative to it."""
    return os.path.join(os.path.dirname(reference.origin.source), reference.path)


def _named(text: str) -> tuple[str | None, str]:
    """(service, path) of SERVICE=FILE; a file whose name has a "=" is itself."""
    service, equals, path = text.partition("=")
    if not equals or os.path.exists(text):
        return None, text
    if not service.strip() or not path:
        raise click.UsageError(f"--asyncapi: {text!r} is not FILE or SERVICE=FILE")
    return service, path


def _document(path: str, service: str | None) -> Contract:
    from analyzer.conformance.asyncapi import parse

    text = text_of(path)
    roots = (os.getcwd(), os.path.dirname(os.path.abspath(path)))

    def beside(target: str, source: str) -> tuple[str, str]:
        found = os.path.normpath(os.path.join(os.path.dirname(source), target))
        real = os.path.realpath(found)
        if os.path.isabs(target) or not any(_below(real, root) for root in roots):
            raise OSError(0, "leads out of the folder of the document and of where you are")
        return _checked(found), found

    return parse(text, path, service, beside)


def _below(path: str, folder: str) -> bool:
    real = os.path.realpath(folder)
    return os.path.commonpath((path, real)) == real


def _catalog(folder: str) -> Contract:
    from analyzer.conformance.eventcatalog import parse

    if not os.path.isdir(folder):
        raise Stop(Exit.USAGE, _unreadable(folder, "is no folder"))
    files = [
        (os.path.relpath(path, folder).replace(os.sep, "/"), path, text_of(path))
        for path in _pages(folder)
    ]
    return parse(files, folder)


def _pages(folder: str) -> list[str]:
    """Markdown files of a catalog in order; hidden folders and packages are left aside."""
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "node_modules")
        found += [os.path.join(place, n) for n in sorted(names) if n.endswith((".md", ".mdx"))]
        if len(found) > MAX_PAGES:
            raise Stop(Exit.USAGE, _unreadable(folder, f"has more than {MAX_PAGES:,} pages"))
    return found


def text_of(path: str) -> str:
    """The text of a file. Raises `Stop`."""
    try:
        return _checked(path)
    except OSError as error:
        raise Stop(Exit.USAGE, _unreadable(path, error.strerror or str(error))) from None


def _checked(path: str) -> str:
    """The text of a plain file of reasonable size; OSError says why not."""
    if os.path.isdir(path):
        raise OSError(0, "is a folder")
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(0, "is no plain file")
    with open(path, "rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise OSError(0, f"is larger than {MAX_FILE:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OSError(0, f"is no UTF-8 text (byte {error.start:,})") from None


def _unreadable(path: str, reason: str) -> str:
    from analyzer.escape import escape

    return escape(f"cannot read {path}: {reason}")


def nothing_judged(analysis: Analysis, allow_empty: bool) -> bool:
    """Whether something was declared and nothing of it could be judged: that is not green."""
    from analyzer.checks import Outcome

    conformance = analysis.conformance
    if conformance is None or allow_empty:
        return False
    # that a workflow occurs says nothing of what was declared about it
    told = [one for one in conformance.checks if one.rule != "starts"] or conformance.checks
    if not told or any(one.outcome is not Outcome.UNJUDGED for one in told):
        return False
    note(
        f"nothing judged: none of {len(told):,} declared expectations could be judged "
        "(--allow-empty allows it)"
    )
    return True
