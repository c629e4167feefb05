"""The command line: a list of commands, each loaded when it is called."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from tui.exits import Exit, Stop
from tui.interrupt import insist, taken


@dataclass(frozen=True, slots=True)
class Entry:
    """A command's name, the module that holds it as `command`, and its line in the help."""

    name: str
    module: str
    help: str


COMMANDS: tuple[Entry, ...] = (
    Entry("analyze", "tui.commands.analyze", "Find stuck, failed and coupled workflows; say why."),
    Entry("instances", "tui.commands.instances", "List workflow instances, filtered and sorted."),
    Entry("show", "tui.commands.show", "Draw one instance: lanes, waiting, evidence, findings."),
    Entry("graph", "tui.commands.graph", "Draw the services and destinations, or one instance."),
    Entry("diff", "tui.commands.diff", "Say what changed between two runs: new, gone, different."),
    Entry("watch", "tui.commands.watch", "Show workflows on a dashboard, live or as recorded."),
    Entry("demo", "tui.commands.demo", "Show a simulated shop on the dashboard, faults included."),
    Entry("serve", "tui.commands.serve", "Receive spans, keep them, watch over workflows, alert."),
    Entry("store", "tui.commands.store", "Look after what 'serve' keeps."),
    Entry("alert", "tui.commands.alert", "Test alert targets; silence alerts; see what was told."),
    Entry("config", "tui.commands.config", "Show the settings, and where each comes from."),
    Entry("simulate", "tui.commands.simulate", "Write labelled traces of a system, with faults."),
    Entry("learn", "tui.commands.learn", "Write what is expected of the workflows, to be edited."),
    Entry("schema", "tui.commands.schema", "Print a JSON Schema: of reports, or of expectations."),
    Entry("doctor", "tui.commands.doctor", "Say what this installation and terminal can do."),
)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

EPILOG = """\b
Examples:
  choreoscope analyze traces.jsonl
  choreoscope instances traces/ --where 'state:stuck age:>5m'
  choreoscope show traces/ --instance ord-482113

\b
Exit codes: 0 clean, 1 findings at or above the gate, 2 usage or configuration,
3 input unreadable or nothing to analyse, 4 internal error, 130 interrupted.
"""


class LazyGroup(click.Group):
    """Knows its commands by name; imports one only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of COMMANDS."""
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its module."""
        for entry in COMMANDS:
            if entry.name == cmd_name:
                command: click.Command = import_module(entry.module).command
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, and with the nearest name where there is no such command."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            names = self.list_commands(ctx)
            near = get_close_matches(args[0], names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            ctx.fail(f"no such command {args[0][:100]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands' help lines, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.help) for entry in COMMANDS])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"choreoscope {version('choreoscope')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an internal error.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version and exit.",
)  # fmt: skip
def group(debug: bool) -> None:
    """What runs, what is stuck, where and why, in a system without an orchestrator.

    choreoscope reads the spans that the services emit already and puts the workflows together.
    """
    if debug:
        os.environ["CHOREOSCOPE_DEBUG"] = "1"


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs one command and exits with the code that `tui.exits` documents."""
    _prepare_streams()
    insist()
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    if sys.stdout is None:
        _complain("standard output is closed; name a file, or /dev/null")
        return Exit.USAGE
    end: Callable[[], None] = lambda: None  # noqa: E731 - telemetry that was begun
    try:
        if os.environ.get("CHOREOSCOPE_TELEMETRY_ENDPOINT"):
            from tui.telemetry import from_environment

            end = from_environment()
        code: Any = group.main(arguments, prog_name="choreoscope", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        _safe_show(error)
        return Exit.USAGE
    except Stop as stop:
        _complain(stop.message)
        return stop.code
    except (click.Abort, KeyboardInterrupt):
        taken()
        _complain("interrupted")
        return Exit.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # click exits by itself where a pipe breaks in its hands
        _abandon_stdout()
        return 128 + signal.SIGPIPE
    except Exception as error:
        return _no_room(error) or _crash(error)
    finally:
        end()


def _safe_show(error: click.ClickException) -> None:
    """Click prints what the user typed, or a file name; that is foreign text too."""
    context = getattr(error, "ctx", None)
    if context is not None:
        with suppress(OSError):
            click.echo(context.get_usage(), err=True)
            click.echo(f"Try '{context.command_path} --help'.", err=True)
    _complain(error.format_message())


def _complain(message: str) -> None:
    """On stderr; whatever came from outside is made visible, whoever forgot to. A full disk behind
    stderr changes no exit code."""
    from analyzer.escape import visible

    with suppress(OSError):
        click.echo("choreoscope: " + "\n".join(map(visible, message.split("\n"))), err=True)


def _no_room(error: Exception) -> Exit | None:
    """USAGE where standard output takes no more, as on a full disk; no defect of ours."""
    if not isinstance(error, OSError) or error.errno not in FULL or error.filename is not None:
        return None
    _abandon_stdout()
    _complain(f"cannot write to standard output: {error.strerror}")
    return Exit.USAGE


def _crash(error: Exception) -> Exit:
    from analyzer.escape import escape

    if os.environ.get("CHOREOSCOPE_DEBUG"):
        trace = "".join(traceback.format_exception(error))
        click.echo("\n".join(escape(line) for line in trace.rstrip().split("\n")), err=True)
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({os.path.basename(place[0].filename)}:{place[0].lineno})" if place else ""
    what = escape(f"{type(error).__name__}: {error}")[:300]
    _complain(
        f"internal error: {what}{where}; please report it to the project with the output of "
        "'choreoscope doctor' and of the same command after 'choreoscope --debug'"
    )
    return Exit.INTERNAL


def _abandon_stdout() -> None:
    """Whoever read us has gone: nothing more is written, not even at exit."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives until the exit


def _prepare_streams() -> None:
    """A character that the terminal cannot show must not end the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
