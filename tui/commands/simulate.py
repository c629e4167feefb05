"""`choreoscope simulate`: labelled traces of a system, with the truth about every instance."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.exits import Exit, Stop
from tui.outputs import check_writable
from tui.terminal import emit, note, progress

if TYPE_CHECKING:
    from collectors.simulate import Header, Scenario, Target

# names of collectors.simulate.FORMATS, which is not imported for --help
FORMATS = ("jsonl", "jsonl.gz", "jsonl.zst", "protobuf", "protobuf.gz", "protobuf.zst")

EPILOG = """\b
Examples:
  choreoscope simulate order
  choreoscope simulate order --instances 5000 --seed 7 --faults lost:0.02,crash:0.01 -o o.jsonl.zst
  choreoscope simulate electronics --style orchestrated --shape link --semconv old -o e.pb.gz
  choreoscope simulate 'sim:tickets?seed=3&faults=skip:0.05' --sampling 0.1 -o -
  choreoscope simulate order -o - | choreoscope analyze -
  choreoscope analyze 'sim:order?instances=1000&seed=7&faults=lost:0.02'

\b
Exit codes: 0 written, 2 a scenario or an option that cannot be, or a file that is there
already or cannot be written, 130 interrupted (nothing is left behind).
"""


def _list(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        emit("\n".join(_catalogue()) + "\n")
        ctx.exit()


@click.command("simulate", epilog=EPILOG)
@click.argument("scenario", metavar="SCENARIO")
@click.option("-o", "--output", metavar="FILE", help="Where the spans go; '-' is standard output. "
              "Default: the system's name, in this folder.")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Default: what the name of "
              "FILE says (.jsonl, .pb, and .gz or .zst after it), else jsonl.")  # fmt: skip
@click.option("--truth", metavar="FILE", help="Where the truth goes. Default: FILE.truth.jsonl "
              "beside the spans; nowhere with '-o -'.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--instances", metavar="N", help="How many. Default: 1000.")
@click.option("--seed", metavar="N", help="Another one, other spans. Default: 1.")
@click.option("--faults", multiple=True, metavar="NAME:NUMBER,...", help="What goes wrong, each "
              "with its share; --list has the names. Repeatable.")  # fmt: skip
@click.option("--sampling", metavar="SHARE", help="Keep this share of the traces; as the fault "
              "of that name.")  # fmt: skip
@click.option("--style", metavar="STYLE", help="choreographed (default) or orchestrated.")
@click.option("--shape", metavar="SHAPE", help="How messages are told: child (default), link, "
              "key, batch.")  # fmt: skip
@click.option("--semconv", metavar="NAMES", help="Attribute names: new (default) or old.")
@click.option("--broker", metavar="NAME", help="kafka (default), rabbitmq or sqs.")
@click.option("--keys", metavar="WHERE", help="Spans that carry the business key: all (default), "
              "first, none.")  # fmt: skip
@click.option("--target", metavar="SERVICE", help="The service that faults aim at.")
@click.option("--gap", metavar="TIME", help="Median wait before each delivery, such as 100s, 3d.")
@click.option("--length", metavar="TIME", help="Time over which instances start.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list,
              help="Print the systems and the faults, and exit.")  # fmt: skip
def command(
    scenario: str,
    output: str | None,
    format_: str | None,
    truth: str | None,
    force: bool,
    faults: tuple[str, ...],
    sampling: str | None,
    **parameters: str | None,
) -> int:
    """Write labelled traces of a system, with faults.

    OTLP spans go to one file; to another, what an honest analysis should say of each instance.

    SCENARIO is a system (order, electronics, exit, tickets, login, recommendations, migration)
    or a whole scenario as text (sim:order?instances=1000&faults=lost:0.02); options win over it.
    """
    changes = {name: value for name, value in parameters.items() if value is not None}
    chosen = _scenario(scenario, changes, [*faults, *_sampled(sampling)])
    goal = _target(output or f"{chosen.system}.{format_ or 'jsonl'}", format_, truth, force)
    header = _write(chosen, goal)
    for line in _told(chosen, goal, header):
        note(line)
    return Exit.CLEAN


def _sampled(share: str | None) -> list[str]:
    return [] if share is None else [f"sampling:{share}"]


def _scenario(text: str, changes: dict[str, str], faults: list[str]) -> Scenario:
    """What was asked for. UsageError names the nearest word."""
    from analyzer.escape import escape
    from collectors.simulate import ScenarioError, parse
    from collectors.simulate.scenario import changed

    try:
        return parse(changed(text, changes, faults))
    except ScenarioError as error:
        raise click.UsageError(escape(error)) from None


def _target(output: str, format_: str | None, truth: str | None, force: bool) -> Target:
    """Where everything goes; nothing that is there already goes without --force."""
    from analyzer.escape import escape
    from collectors.simulate import ScenarioError, Target, target

    if truth == "-":
        raise click.UsageError("--truth: the truth needs a file of its own, not standard output")
    for name in (output, truth or "-"):
        if "\0" in name:
            raise click.UsageError(f"cannot write {name[:200]!r}: no file can be called so")
        check_writable(name)
    told = Path(truth) if truth else None
    try:
        if output == "-":
            goal = Target(sys.stdout.buffer, format_ or "jsonl", told)
        else:
            goal = target(output, format_, told)
    except (ScenarioError, ValueError) as error:
        raise click.UsageError(escape(f"-o: {error}; or say --format")) from None
    for path in (goal.spans, goal.truth):
        if isinstance(path, Path):
            _check(path, force)
    if goal.spans == goal.truth:
        raise click.UsageError("the spans and the truth cannot go to the same file")
    return goal


def _check(path: Path, force: bool) -> None:
    if path.is_file() and not force:
        raise Stop(Exit.USAGE, f"{_name(path)} is there already; --force replaces it")


def _write(scenario: Scenario, goal: Target) -> Header:
    from collectors.simulate import write

    try:
        with progress("simulating") as meter:
            return write(scenario, goal, progress=meter)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = _name(goal.spans) if isinstance(goal.spans, Path) else "standard output"
        raise Stop(Exit.USAGE, f"cannot write {place}: {error.strerror or error}") from None


def _told(scenario: Scenario, goal: Target, header: Header) -> Iterator[str]:
    """What was written, and what to do with it."""
    counts = dict(header.counts)
    spans, instances = counts.pop("spans", 0), counts.pop("instances", 0)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    yield f"{spans:,} spans of {instances:,} instances: {states}"
    if goal.truth:
        yield f"truth in {_name(goal.truth)}"
    if isinstance(goal.spans, Path):
        key = f" --key {scenario.flow.keys[0]}={','.join(scenario.flow.keys[1:])}"
        yield f"now: choreoscope analyze {_name(goal.spans)}{key * (scenario.shape == 'key')}"


def _name(path: Path) -> str:
    from shlex import quote

    from analyzer.escape import escape

    return escape(quote(str(path)))


def _catalogue() -> Iterator[str]:
    """The systems, and the faults with what their number means."""
    from collectors.simulate import FAULTS, SYSTEMS

    yield "SYSTEMS"
    for name, flow in SYSTEMS.items():
        yield f"  {name:20}{', '.join(flow.services)}"
    yield ""
    yield "FAULTS"
    for name, fault in FAULTS.items():
        yield f"  {name:20}{fault.what} ({_number(fault)})"


def _number(fault: Any) -> str:
    return "a number above 0, such as 1" if fault.number == "1" else str(fault.number)
