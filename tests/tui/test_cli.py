"""The commands: exit codes, streams, options, and what they never do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import polars as pl
import pytest

from analyzer.analysis import Analysis
from analyzer.reporters.instances import SORTS as REPORTER_SORTS
from analyzer.reporters.registry import REPORTERS
from collectors.recording import Intake, Problem
from tests.support.analysis_builder import T0, Case, Step, build, order, shop
from tests.tui.conftest import Run
from tui import cli, load, outputs
from tui.cli import COMMANDS
from tui.commands import instances as instances_command
from tui.exits import Exit, verdict

Given = Callable[[Analysis], list[Any]]
pytestmark = pytest.mark.usefixtures("a_shop")


def damaged() -> Analysis:
    analysis = shop()
    intake = Intake(
        ("a.jsonl",),
        spans=57,
        rejected={"invalid-json": 7},
        problems=(Problem("a.jsonl", 17, "invalid-json", "half a line"),),
    )
    return replace(analysis, recording=replace(analysis.recording, intake=intake))


def healthy() -> Analysis:
    return build([order(f"ord-{n}") for n in range(3)])


# -- exit codes -----------------------------------------------------------------------------------


def test_clean_is_0(run: Run, given: Given) -> None:
    given(healthy())
    assert run("analyze", "x").code == 0


@pytest.mark.parametrize(
    ("level", "code"), [("error", 1), ("warning", 1), ("note", 1), ("none", 0)]
)
def test_findings_at_the_gate_are_1(run: Run, level: str, code: int) -> None:
    result = run("analyze", "x", "--fail-on", level)
    assert result.code == code
    assert ("gate:" in result.err) == bool(code)


def test_a_finding_below_the_gate_is_0(run: Run, given: Given) -> None:
    analysis = shop()
    notes = tuple(f for f in analysis.findings if f.severity == "note")
    assert notes
    given(replace(analysis, findings=notes))
    assert run("analyze", "x").code == 0
    assert run("analyze", "x", "--fail-on", "warning").code == 0
    assert run("analyze", "x", "--fail-on", "note").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["analyze"],
        ["analyze", "x", "--nope"],
        ["analyze", "x", "--where", "stat:stuck"],
        ["analyze", "x", "--as-of", "yesterday"],
        ["analyze", "x", "--key", "a b"],
        ["analyze", "x", "--threshold", "stuk<1"],
        ["analyze", "x", "--threshold", "stuck"],
        ["analyze", "x", "--output", "json"],
        ["analyze", "x", "--output", "pdf=a"],
        ["analyze", "x", "--output", "json=/no/such/folder/a"],
        ["analyze", "x", "--output", "json=-", "--output", "text=-"],
        ["analyze", "x", "--format", "text", "--output", "json=-"],
        ["instances", "x", "--sort", "nope"],
        ["instances", "x", "--format", "parquet"],
        ["show", "x"],
        ["show", "x", "--instance", "nobody"],
        ["show", "x", "--instance", "ord-"],
        ["graph", "x", "--instance", "nobody"],
        ["nope"],
    ],
)
def test_usage_is_2_and_says_why(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert "choreoscope: " in result.err


@pytest.mark.parametrize("command", ["analyze", "instances", "graph"])
def test_a_missing_source_is_3(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, tmp_path: Path
) -> None:
    monkeypatch.undo()
    result = run(command, str(tmp_path / "typo.jsonl"))
    assert result.code == 3
    assert "typo.jsonl" in result.err
    assert result.out == ""


def test_damage_wins_over_findings(run: Run, given: Given) -> None:
    given(damaged())
    result = run("analyze", "x")
    assert result.code == 3
    assert "a.jsonl:17: invalid-json" in result.err
    assert "+6 more" in result.err
    for command in (["instances", "x"], ["graph", "x"], ["show", "x", "--instance", "ord-x"]):
        assert run(*command).code == 3


def test_nothing_analysed_is_3_unless_allowed(run: Run, given: Given) -> None:
    given(build([]))
    for command in (["analyze", "x"], ["instances", "x"], ["graph", "x"]):
        assert run(*command).code == 3
        assert run(*command, "--allow-empty").code == 0


def test_a_filter_that_keeps_nothing_is_no_green_gate(run: Run) -> None:
    assert run("analyze", "x", "--where", "wf:ordr").code == 3
    assert run("analyze", "x", "--where", "wf:ordr", "--allow-empty").code == 0
    assert run("instances", "x", "--where", "wf:ordr").code == 0


def test_a_crash_is_4_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> Analysis:
        raise RuntimeError("boom \x1b[2J")

    monkeypatch.setattr(load, "_judge", crash)
    monkeypatch.delenv("CHOREOSCOPE_DEBUG", raising=False)
    result = run("analyze", "x")
    assert result.code == 4
    assert result.err.count("\n") == 1
    assert "RuntimeError: boom \\x1b[2J" in result.err
    assert "report" in result.err
    assert "Traceback" not in result.err
    monkeypatch.setenv("CHOREOSCOPE_DEBUG", "1")
    assert "Traceback" in run("analyze", "x").err


def test_interrupted_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> Analysis:
        raise KeyboardInterrupt

    monkeypatch.setattr(load, "_judge", interrupt)
    assert run("analyze", "x").code == 130


@pytest.mark.parametrize("gate", [True, False])
def test_the_verdicts_in_order(gate: bool) -> None:
    assert verdict(gate_failed=gate, damaged=True, nothing=False) is Exit.INPUT
    assert verdict(gate_failed=gate, damaged=False, nothing=True) is Exit.INPUT
    wanted = Exit.FINDINGS if gate else Exit.CLEAN
    assert verdict(gate_failed=gate, damaged=False, nothing=False) is wanted


# -- analyze --------------------------------------------------------------------------------------


def test_thresholds_print_the_actual_value(run: Run) -> None:
    result = run("analyze", "x", "--fail-on", "none", "--threshold", "stuck_ratio<0.01")
    assert result.code == 1
    assert "threshold stuck_ratio<0.01: 0.166667 does not hold" in result.err
    fine = ["--threshold", "stuck_ratio<=20%", "--threshold", "findings.cycle==0"]
    assert run("analyze", "x", "--fail-on", "none", *fine).code == 1
    fine[-1] = "findings.cycle<=1"
    result = run("analyze", "x", "--fail-on", "none", *fine, "--threshold", "trouble==3")
    assert result.code == 0
    assert result.err.count(" holds") == 3


def test_the_report_is_on_stdout_and_can_be_read(run: Run) -> None:
    result = run("analyze", "x", "--format", "json")
    report = json.loads(result.out)
    assert report["instances"] == {
        "total": 12,
        "by_state": {"complete": 9, "failed": 1, "stuck": 2},
    }


def test_one_run_writes_many_reports(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    result = run("analyze", "x", "--output", f"json={path}")
    assert "FINDINGS" in result.out
    assert json.loads(path.read_text())["schema_version"] == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    swapped = run("analyze", "x", "--output", "json=-", "--output", f"text={tmp_path / 't'}")
    assert json.loads(swapped.out) == json.loads(path.read_text())
    assert "FINDINGS" in (tmp_path / "t").read_text()


def test_an_unwritable_file_is_no_crash(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "_replace", full)
    result = run("analyze", "x", "--output", "json=report.json")
    assert result.code == 2
    assert "No space left" in result.err


def test_where_narrows_findings_and_counts(run: Run) -> None:
    result = run("analyze", "x", "--where", "state:failed", "--format", "json")
    report = json.loads(result.out)
    assert report["input"]["where"] == "state:failed"
    assert report["input"]["instances_before_where"] == 12
    assert report["instances"]["total"] == 1
    assert {f["kind"] for f in report["findings"]} == {"failed", "cycle"}
    assert report["workflows"][0]["by_state"] == {"failed": 1}
    assert "1 of 12 instances" in run("analyze", "x", "--where", "state:failed").out


def test_a_filter_error_points_at_the_token(run: Run) -> None:
    error = run("analyze", "x", "--where", "id:a stat:stuck").err
    line, pointer = error.splitlines()[-2:]
    assert line[pointer.index("^") :].startswith("stat")
    assert "did you mean 'state'?" in error


def test_options_reach_the_analysis(run: Run, a_shop: list[Any]) -> None:
    run("analyze", "x", "y", "--as-of", "2023-11-14T22:13:20Z", "--key", "a=b,c", "--key", "auto")
    assert a_shop == [(("x", "y"), T0, ("a=b,c", "auto"))]


# -- instances, show, graph -----------------------------------------------------------------------


def test_instances_as_json_lines_have_the_fields_of_the_contract(run: Run) -> None:
    result = run("instances", "x", "--format", "json", "--limit", "3")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["instance"] for row in rows] == ["ord-stuck-1", "ord-stuck-2", "ord-x"]
    assert list(rows[0]) == [
        "instance", "workflow", "state", "cause", "waiting_for", "since", "deadline", "start",
        "end", "keys", "trace_ids", "services", "steps", "spans",
    ]  # fmt: skip
    assert "3 of 12 instances (12 match)" in result.err


def test_instances_says_n_of_m(run: Run) -> None:
    assert "2 of 12 instances" in run("instances", "x", "--where", "state:stuck").out


@pytest.mark.parametrize("sort", instances_command.SORTS)
def test_every_sort_is_total_and_can_be_turned_round(run: Run, sort: str) -> None:
    rows = [
        json.loads(line)["instance"]
        for line in run("instances", "x", "--format", "json", "--sort", sort).out.splitlines()
    ]
    assert sorted(rows) == sorted(shop().instances["id"].to_list())
    assert run("instances", "x", "--sort", f"-{sort}").code == 0


def test_instances_as_parquet(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "i.parquet"
    assert run("instances", "x", "--format", "parquet", "-o", str(path)).code == 0
    frame = pl.read_parquet(path)
    assert frame.height == 12
    assert frame.schema["start"] == pl.Datetime("ns", "UTC")


def test_show_finds_by_key_prefix_and_trace(run: Run) -> None:
    wanted = run("show", "x", "--instance", "ord-x").out
    trace = shop().instance("ord-x").fields["trace_ids"]
    assert isinstance(trace, list)
    assert run("show", "x", "--instance", trace[0]).out == wanted
    assert "process orders.placed" in wanted
    assert "✖" in wanted
    assert "E2" in wanted


def test_show_draws_the_absent_step_and_the_fold(run: Run) -> None:
    out = run("show", "x", "--instance", "ord-stuck-1").out
    assert "◌" in out
    assert "//59m59s//" in out
    assert "consumer-dark 0.93" in out
    assert "+ payments exported nothing" in out
    assert "- no later message was processed" in out


def test_show_json_holds_everything(run: Run) -> None:
    shown = json.loads(run("show", "x", "--instance", "ord-stuck-1", "--format", "json").out)
    assert shown["instance"]["instance"] == "ord-stuck-1"
    assert len(shown["steps"]) == 4
    assert {edge["tier"] for edge in shown["edges"]} == {"E1", "E2"}
    (absent,) = shown["expected"]
    assert (absent["service"], absent["step"]) == ("payments", "capture payment")
    assert (absent["destination"], absent["seen"]) == ("payments.due", 9)


def test_missing_parents_are_drawn(run: Run, given: Given) -> None:
    given(build([Case("a", "w", "orphaned", (Step("s", "op", lost_parent=True),))]))
    assert "~  missing parent 00000000000f423f" in run("show", "x", "--instance", "a").out


def test_graph_exports_are_what_they_say(run: Run) -> None:
    out = run("graph", "x", "--format", "json").out
    graph = nx.node_link_graph(json.loads(out), edges="edges")
    assert graph.nodes["orders.placed"]["type"] == "destination"
    assert run("graph", "x", "--format", "dot").out.startswith("digraph")
    assert run("graph", "x", "--format", "mermaid").out.startswith("flowchart")
    assert "<graphml" in run("graph", "x", "--format", "graphml", "--instance", "ord-x").out
    table = run("graph", "x").out
    assert "payments" in table
    assert "process orders.placed" in run("graph", "x", "--instance", "ord-x").out


def test_doctor_keeps_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHOREOSCOPE_TOKEN", "hunter2")
    monkeypatch.setenv("NO_COLOR", "1")
    result = run("doctor")
    assert result.code == 0
    assert "CHOREOSCOPE_TOKEN=(set)" in result.out
    assert "hunter2" not in result.out
    assert "NO_COLOR=1" in result.out
    assert "polars" in result.out


def test_doctor_fails_where_a_package_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ptars", None)
    result = run("doctor")
    assert result.code == 2
    assert "ptars is broken" in result.out


# -- drift between parts --------------------------------------------------------------------------


def test_names_that_help_needs_without_imports_are_the_real_ones() -> None:
    assert tuple(reporter.name for reporter in REPORTERS) == outputs.FORMATS
    assert instances_command.SORTS == REPORTER_SORTS


def test_each_line_of_the_help_is_the_commands_own() -> None:
    context = cli.group.make_context("choreoscope", [], resilient_parsing=True)
    for entry in COMMANDS:
        command = cli.group.get_command(context, entry.name)
        assert command is not None
        assert command.name == entry.name
        assert (command.help or "").split("\n")[0] == entry.help


# -- as a process ---------------------------------------------------------------------------------

HEAVY = ("polars", "pyarrow", "networkx", "textual", "numpy", "rich", "scipy", "analyzer.analysis")


@pytest.mark.parametrize("arguments", [["--help"], *([e.name, "--help"] for e in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from tui import cli\n"
        f"assert cli.run({arguments!r}) == 0\n"
        f"print(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_leaves_is_no_error_message() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "schema"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


def test_an_ascii_terminal_gets_ascii(tmp_path: Path) -> None:
    code = (
        "from tui import cli, load\n"
        "from tests.support.analysis_builder import shop\n"
        "load._read = lambda s: s\nload._judge = lambda *a: shop()\ncli.main(['analyze', 'x'])"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert b"# stuck" in done.stdout
    assert b"\\u" not in done.stdout


def test_colour_follows_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert "\x1b[" not in run("analyze", "x").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = run("analyze", "x").out
    assert "\x1b[1m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("analyze", "x").out


def test_a_report_fits_80_columns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for command in (["analyze", "x"], ["instances", "x"], ["graph", "x"],
                    ["show", "x", "--instance", "ord-stuck-1"]):  # fmt: skip
        assert max(map(len, run(*command).out.splitlines())) <= 80
