"""`--browser`: the dashboard on a page of this machine, where the extra is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from tui.exits import Exit, Stop

F = TypeVar("F", bound=Callable[..., Any])

PORT = 8321
OPTION = "--browser"
SESSION = "CHOREOSCOPE_BROWSER"  # set for the processes behind the pages


def browser_option(command: F) -> F:
    """--browser [PORT]."""
    return click.option(
        OPTION, type=click.IntRange(1, 65_535), is_flag=False, flag_value=PORT,
        metavar="[PORT]", help=f"Show it in a browser of this machine, on PORT ({PORT}). Needs "
        "the extra 'browser'.",
    )(command)  # fmt: skip


def in_session() -> bool:
    """Whether this process draws for a page."""
    return SESSION in os.environ


def browse(port: int, arguments: Sequence[str] | None = None) -> Exit:
    """Serve the same command without --browser, once for each page that is opened. Raises Stop."""
    try:
        from tui.browser.server import serve
    except ImportError as error:
        from collectors import extras

        said = f"{OPTION} needs {error.name}, of the extra browser: {extras.how('browser')}"
        raise Stop(Exit.USAGE, said) from None
    os.environ |= {SESSION: "1", "PYTHONUTF8": "1"}
    try:
        serve(without_option(sys.argv[1:] if arguments is None else arguments), port)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{OPTION}: port {port}: {error.strerror or error}") from None
    return Exit.CLEAN


def without_option(arguments: Sequence[str]) -> list[str]:
    """The arguments without --browser, --browser PORT or --browser=PORT."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip and argument.isdigit():
            skip = False
            continue
        skip = argument == OPTION
        if not skip and not argument.startswith(OPTION + "="):
            kept.append(argument)
    return kept
