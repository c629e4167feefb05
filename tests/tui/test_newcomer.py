"""What a newcomer pastes works, and what they mistype is told apart from a defect of ours."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzer.analysis import Analysis
from analyzer.reporters.groups import (
    COUPLING_KINDS,
    DATA_KINDS,
    DECLARED_KINDS,
    INSTANCE_KINDS,
)
from tests.support.analysis_builder import build, order, shop
from tests.tui.conftest import Run
from tui.exits import Exit
from tui.gates import parse_threshold

Given = Callable[[Analysis], list[Any]]
ROOT = Path(__file__).resolve().parents[2]
MAIN = [sys.executable, "-c", "from tui.cli import main; main()"]

shop_behind_it = pytest.mark.usefixtures("a_shop")


@shop_behind_it
def test_the_command_that_a_report_proposes_finds_the_same_instances(run: Run) -> None:
    """Without the key or the time of the run the id would be another one, or healthy."""
    long = "recordings/" + "x" * 90 + ".jsonl"
    out = run("analyze", long, "--key", "order.id=app.id", "--as-of", "2024-05-31").out
    looks = re.findall(r"choreoscope show .* --instance", out)
    assert looks
    assert set(looks) == {
        f"choreoscope show {long} --key order.id=app.id --as-of 2024-05-31 --instance"
    }


@shop_behind_it
def test_the_title_says_what_the_user_typed(run: Run) -> None:
    assert run("analyze", "traces/").out.startswith("choreoscope · traces")


@shop_behind_it
def test_a_misspelt_kind_is_no_green_gate(run: Run) -> None:
    result = run("analyze", "a", "--threshold", "findings.stuk==0")
    assert (result.code, result.out) == (Exit.USAGE, "")
    assert "did you mean 'findings.stuck'?" in result.err


def test_thresholds_know_every_kind_that_the_docs_describe() -> None:
    text = (ROOT / "docs/detectors.md").read_text("utf-8")
    text += (ROOT / "docs/coupling.md").read_text("utf-8")
    text += (ROOT / "docs/expectations.md").read_text("utf-8")
    described = set(re.findall(r"^##+ ([a-z]+(?:-[a-z]+)*)$", text, re.MULTILINE))
    known = INSTANCE_KINDS | COUPLING_KINDS | DATA_KINDS | DECLARED_KINDS
    assert known == described
    for kind in known:
        parse_threshold(f"findings.{kind}==0")


def test_without_a_command_the_help_comes_once(run: Run) -> None:
    result = run()
    assert result.code == Exit.USAGE
    assert result.err.count("Usage:") == 1
    assert "analyze" in result.err


@pytest.mark.parametrize(
    ("typed", "said"), [("analyse", "did you mean 'analyze'?"), ("q\x1b[2J", "there are analyze,")]
)
def test_an_unknown_command_is_told_what_there_is(run: Run, typed: str, said: str) -> None:
    result = run(typed)
    assert result.code == Exit.USAGE
    assert said in result.err
    assert "\x1b" not in result.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["schema"], ["--version"], ["doctor"]])
def test_a_full_disk_behind_stdout_is_no_defect(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*MAIN, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == Exit.USAGE
    assert done.stderr.startswith("choreoscope: cannot write to standard output: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_closed_stdout_is_no_defect() -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *MAIN, "schema"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == Exit.USAGE
    assert "standard output is closed" in done.stderr


SWALLOWS = """
import signal, sys, time
from tui import interrupt
interrupt.insist()
class Callback:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(30)
try:
    Callback()
    time.sleep(30)
except KeyboardInterrupt:
    interrupt.taken()
    time.sleep(0.5)
    sys.exit(130)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_an_interrupt_that_python_swallows_comes_again() -> None:
    """Exceptions in finalisers and import callbacks are printed and forgotten."""
    child = subprocess.Popen(
        [sys.executable, "-c", SWALLOWS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=25)
    assert "Exception ignored" in err
    assert child.returncode == 130
    assert time.monotonic() - began < 20


def test_the_table_gives_its_room_to_what_is_there(run: Run, given: Given) -> None:
    """No column for what no row has; ids of traces then fit 80 columns."""
    given(build([order("a" * 32), order("b" * 32)]))
    healthy = run("instances", "x").out
    assert "OVERDUE" not in healthy
    assert "ERRORS" not in healthy
    assert "a" * 16 in healthy
    given(shop())
    assert "OVERDUE" in run("instances", "x").out


def test_rows_stand_under_their_titles(run: Run, given: Given) -> None:
    given(shop())
    head, *rows = run("instances", "x").out.splitlines()[:4]
    end = head.index("STEPS") + len("STEPS")
    assert all(row[end - 1].isdigit() and row[end : end + 1] in ("", " ") for row in rows)


def test_a_key_is_found_as_it_is_printed(run: Run, given: Given) -> None:
    """`keys` of a report read `order.id=4711`; that can be pasted back."""
    analysis = shop()
    given(analysis)
    row = next(row for row in analysis.instances.iter_rows(named=True) if row["keys"])
    assert row["id"] in run("show", "x", "--instance", row["keys"][0]).out


def test_what_failed_waits_for_nothing(run: Run, given: Given) -> None:
    given(build([order("a", "failed", since=900_000_000)]))
    out = run("show", "x", "--instance", "a").out
    assert "waiting for" not in out
    assert re.search(r"failed \S+ ago", out)
