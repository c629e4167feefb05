"""Where reports go: standard output, or files that are never half written."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import click

from analyzer.reporters.registry import REPORTERS
from tui.exits import Exit, Stop
from tui.terminal import emit

FORMATS = tuple(reporter.name for reporter in REPORTERS)
BINARY = frozenset(reporter.name for reporter in REPORTERS if reporter.binary)


@dataclass(frozen=True, slots=True)
class Output:
    """One report: its format, and its path or "-" for standard output."""

    format: str
    path: str


def plan(default: str | None, requested: tuple[str, ...]) -> tuple[Output, ...]:
    """What to write where. UsageError where two reports would share standard output."""
    outputs = [_parse(text) for text in requested]
    to_stdout = [output for output in outputs if output.path == "-"]
    if len(to_stdout) > 1 or (default is not None and to_stdout):
        raise click.UsageError("only one report can go to standard output (-)")
    for name in (default, *(output.format for output in to_stdout)):
        if name in BINARY:
            raise click.UsageError(f"{name} is binary: name a file, --output {name}=FILE")
    if not to_stdout:
        outputs.insert(0, Output(default or "text", "-"))
    paths = [os.path.realpath(output.path) for output in outputs if output.path != "-"]
    if len(set(paths)) < len(paths):
        raise click.UsageError("--output: two reports have the same path")
    return tuple(outputs)


def _parse(text: str) -> Output:
    name, equals, path = text.partition("=")
    if not equals or not path:
        raise click.UsageError(f"--output: {text!r} is not FORMAT=PATH")
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FORMATS)}"
        raise click.UsageError(f"--output: unknown format {name!r}; {hint}")
    check_writable(path)
    return Output(name, path)


def check_writable(path: str) -> None:
    """Before the work is done: the folder is there. UsageError where it is not."""
    if path == "-":
        return
    folder = Path(path).parent
    try:
        there, taken = folder.is_dir(), Path(path).is_dir()
    except (OSError, ValueError) as error:  # too long, or with a NUL
        raise click.UsageError(f"cannot write {path[:200]!r}: {error.args[-1]}") from None
    if not there:
        raise click.UsageError(f"cannot write {path[:200]!r}: there is no such folder")
    if taken:
        raise click.UsageError(f"cannot write {path[:200]!r}: it is a folder")


def write(path: str, content: str | bytes) -> None:
    """To standard output, or to a file that appears whole or not at all."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    if path == "-":
        emit(content if isinstance(content, str) else data.decode())
        return
    try:
        _replace(Path(os.path.realpath(path)), data)  # a link keeps leading where it leads
    except OSError as error:
        from analyzer.escape import escape

        reason = error.strerror or str(error)
        raise Stop(Exit.USAGE, escape(f"cannot write {path}: {reason}")) from None


def _replace(path: Path, data: bytes) -> None:
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        path.write_bytes(data)
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".choreoscope-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
