"""docs/commands.md says what the commands do: no option, field or code is missing or invented."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from analyzer.finding import State
from analyzer.where import FIELDS, compile_where
from tui import cli
from tui.cli import COMMANDS
from tui.exits import Exit
from tui.gates import METRICS, parse_threshold

DOCS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL))
CONTEXT = cli.group.make_context("choreoscope", [], resilient_parsing=True)
COMMON = {"--as-of", "--key", "--allow-empty"}


def options(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
        if not parameter.hidden
    }


@pytest.mark.parametrize("name", [entry.name for entry in COMMANDS])
def test_every_option_is_described_and_none_is_invented(name: str) -> None:
    command = cli.group.get_command(CONTEXT, name)
    assert command is not None
    real = options(command)
    described = set(re.findall(r"^- (`.+?`(?:, `.+?`)*):", SECTIONS[name], re.MULTILINE))
    named = {word for line in described for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)}
    assert named == real - COMMON
    usage = re.search(r"```\n(choreoscope .*?)```", SECTIONS[name], re.DOTALL)
    if usage:
        in_usage = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage[1]))
        assert in_usage == {o for o in real if (o, name) != ("--output", "instances")}


def test_the_common_options_are_described_once() -> None:
    named = set(re.findall(r"^- `(--[a-z-]+)", SECTIONS["Sources"], re.MULTILINE))
    assert named == COMMON
    assert options(cli.group) == {"--debug", "--version"}
    for name in options(cli.group):
        assert name in DOCS


def test_the_choices_in_the_usage_are_the_real_ones() -> None:
    for entry in COMMANDS:
        command = cli.group.get_command(CONTEXT, entry.name)
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter.type, click.Choice) and parameter.metavar:
                assert f"[--format {parameter.metavar}]" in SECTIONS[entry.name]
                for choice in parameter.type.choices:
                    assert f"`{choice}`" in SECTIONS[entry.name]
            elif isinstance(parameter.type, click.Choice) and parameter.name == "format_":
                assert f"[--format {'|'.join(parameter.type.choices)}]" in SECTIONS[entry.name]
            elif isinstance(parameter.type, click.Choice):
                for choice in parameter.type.choices:
                    assert f"`{choice}`" in SECTIONS[entry.name]


def test_every_field_of_the_filter_is_described() -> None:
    rows = re.findall(r"^\| (`[a-z`, ]+`) \|", SECTIONS["Filters"], re.MULTILINE)
    described = {name for row in rows for name in re.findall(r"[a-z]+", row)}
    assert described >= {name for field in FIELDS for name in field.names}
    for state in State:
        assert state.value in SECTIONS["Filters"]


def test_every_filter_in_the_docs_is_understood() -> None:
    [block] = re.findall(r"```\n(.*?)```", SECTIONS["Filters"], re.DOTALL)
    queries = block.strip().splitlines()
    assert len(queries) == 4
    for query in queries:
        compile_where(query, 0)


def test_every_figure_of_a_threshold_is_described() -> None:
    for metric in METRICS:
        assert f"`{metric.removesuffix('_ratio')}`" in SECTIONS["analyze"], metric
    for text in re.findall(r"`([a-z_.-]+(?:<=|<|==)[0-9.]+%?)`", SECTIONS["analyze"]):
        parse_threshold(text)


def test_every_exit_code_is_described() -> None:
    codes = {
        int(code) for code in re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.MULTILINE)
    }
    assert codes == {*map(int, Exit), 141}


def test_every_variable_is_described() -> None:
    from tui.commands.doctor import SHOWN

    for name in re.findall(r"^\| `([A-Z_]+)` \|", SECTIONS["Environment"], re.MULTILINE):
        assert name in SHOWN
