"""Takes the terminal for the dashboard, and gives it back whatever ends it."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import TYPE_CHECKING

from tui.browsing import in_session
from tui.exits import Exit, Stop
from tui.terminal import can_unicode, note

if TYPE_CHECKING:
    from tui.dashboard.app import Dashboard
    from tui.dashboard.feed import Feed

TERMINAL = "/dev/tty"


def has_terminal() -> bool:
    """Whether there is a terminal to draw on and to read keys from, or a page of a browser."""
    if in_session():
        return True
    return all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.__stderr__))


def keys_from_terminal() -> None:
    """Standard input is a source: it stays readable as `sys.stdin`, and keys come from the
    terminal. Raises Stop where there is none."""
    try:
        terminal = os.open(TERMINAL, os.O_RDWR)
    except OSError as error:
        said = f"cannot read keys: {TERMINAL}: {error.strerror}"
        raise Stop(Exit.USAGE, said) from None
    source = os.dup(0)
    os.dup2(terminal, 0)
    os.close(terminal)
    sys.stdin = io.TextIOWrapper(os.fdopen(source, "rb"))


def show(feed: Feed, where: str = "") -> Exit:
    """Run the dashboard until the user quits. The feed is ended in any case. Raises Stop."""
    from tui.dashboard.feed import Phase

    try:
        app = _dashboard(feed, where)
        _hush()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: app.exit())  # the terminal must not stay as it is
        app.run()
    finally:
        feed.stop()
    if app.return_code:
        return Exit.INTERNAL
    if feed.status.phase is Phase.FAILED:
        from analyzer.escape import escape

        note(escape(feed.status.message))
        return Exit.INPUT
    return Exit.CLEAN


def _dashboard(feed: Feed, where: str) -> Dashboard:
    """With the keys, the theme and the URL of the configuration. Raises Stop."""
    from tui.configuration import configuration
    from tui.dashboard.app import Dashboard
    from tui.dashboard.errors import SettingError

    chosen = configuration()
    try:
        return Dashboard(
            feed,
            where=where,
            ascii=not can_unicode(sys.stdout),
            keys=chosen.keys,
            open_url=chosen["watch.open_url"],
            theme=chosen["watch.theme"],
        )
    except SettingError as error:
        from analyzer.escape import escape

        raise Stop(Exit.USAGE, escape(error)) from None


def _hush() -> None:
    """What a library logs or warns of would be written onto the screen."""
    import logging
    import warnings

    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
