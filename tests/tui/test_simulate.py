"""`choreoscope simulate` writes what it was asked for, whole or not at all."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collectors import read
from collectors.simulate import FAULTS, FORMATS, SYSTEMS, Scenario, parse, read_truth
from collectors.simulate.scenario import BROKERS, CONVENTIONS, KEYS, SHAPES, STYLES
from tests.support.hostile import ALL, raw_controls
from tests.tui.conftest import Run
from tui.commands import simulate

MAIN = [sys.executable, "-c", "from tui.cli import main; main()"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_it_writes_the_spans_and_the_truth(run: Run) -> None:
    result = run("simulate", "order", "--instances", "20", "--faults", "lost:0.5", "--seed", "9")
    assert (result.code, result.out) == (0, "")
    assert files() == ["order.jsonl", "order.jsonl.truth.jsonl"]
    header, truth = read_truth("order.jsonl")
    assert header.scenario == parse("sim:order?instances=20&seed=9&faults=lost:0.5").uri
    assert len(truth) == 20
    assert read(["order.jsonl"]).spans.height == header.counts["spans"]
    assert "now: choreoscope analyze order.jsonl" in result.err


def test_options_win_over_the_scenario_as_text(run: Run) -> None:
    text = "sim:tickets?seed=3&instances=9&faults=skip:0.05,lost:0.1&shape=link"
    options = ["--sampling", "0.5", "--seed", "4", "--faults", "lost:0.2", "--faults", "retry:0.1"]
    assert run("simulate", text, *options, "-o", "a.pb").code == 0
    told = parse(read_truth("a.pb")[0].scenario)
    faults = {"skip": 0.05, "lost": 0.2, "retry": 0.1, "sampling": 0.5}
    assert (dict(told.faults), told.seed, told.instances) == (faults, 4, 9)
    assert told.shape == "link"


def test_every_option_reaches_the_scenario(run: Run) -> None:
    options = ["--instances=9", "--seed=2", "--style=orchestrated", "--shape=key", "--semconv=old"]
    options += ["--broker=sqs", "--keys=first", "--target=inventory", "--gap=3s", "--length=5m"]
    assert run("simulate", "order", *options, "-o", "a.jsonl").code == 0
    wanted = Scenario(
        "order", 9, 2, {}, "key", "orchestrated", "old", "sqs", "first", "inventory",
        3 * 10**9, 300 * 10**9,
    )  # fmt: skip
    assert read_truth("a.jsonl")[0].scenario == wanted.uri


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_read_back_the_same(run: Run, format_: str) -> None:
    assert (
        run("simulate", "order", "--instances=5", "--format", format_, "-o", "anything").code == 0
    )
    assert run("simulate", "order", "--instances=5", "-o", "plain.jsonl").code == 0
    assert read(["anything"]).spans.equals(read(["plain.jsonl"]).spans)
    assert files()[:2] == ["anything", "anything.truth.jsonl"]


def test_the_name_says_the_format(run: Run) -> None:
    for name in ("a.jsonl.gz", "a.pb.zst", "a.json", "a.binpb"):
        assert run("simulate", "order", "--instances=2", "-o", name).code == 0, name
    assert gzip.decompress(Path("a.jsonl.gz").read_bytes()) == Path("a.json").read_bytes()


def test_standard_output_has_the_spans_and_nothing_else() -> None:
    made = subprocess.run(
        [*MAIN, "simulate", "order", "--instances=3", "-o", "-", "--truth", "t.jsonl"],
        capture_output=True, env=_environment(), check=True,
    )  # fmt: skip
    assert files() == ["t.jsonl"]
    Path("a.jsonl").write_bytes(made.stdout)
    assert read(["a.jsonl"]).spans.height == 39
    assert Path("t.jsonl").read_bytes().count(b"\n") == 1 + 3


def test_no_file_is_replaced_unless_forced(run: Run) -> None:
    for there in ("a.jsonl", "a.jsonl.truth.jsonl"):
        Path(there).write_text("mine")
        result = run("simulate", "order", "--instances=2", "-o", "a.jsonl")
        assert result.code == 2
        assert f"{there} is there already; --force replaces it" in result.err
        assert (files(), Path(there).read_text()) == ([there], "mine")
        Path(there).unlink()
    Path("a.jsonl").write_text("mine")
    assert run("simulate", "order", "--instances=2", "-o", "a.jsonl", "--force").code == 0
    assert read(["a.jsonl"]).spans.height == 26


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ordr"], "did you mean 'order'"),
        (["order", "--faults=lots:0.1"], "did you mean 'lost'"),
        (["order", "--shpe=link"], "--shape"),
        (["order", "--shape=lnk"], "did you mean 'link'"),
        (["order", "--style=orchestrate"], "did you mean 'orchestrated'"),
        (["order", "--target=inventroy"], "did you mean 'inventory'"),
        (["order", "--instances=many"], "no whole number"),
        (["order", "--gap=soon"], "no duration"),
        (["order", "--sampling=2"], "it is a share above 0"),
        (["login", "--faults=lost:0.1"], "it can have crash"),
        (["order", "-o", "a.jsn"], "did you mean '.json'"),
        (["order", "-o", "nowhere/a.jsonl"], "no such folder"),
        (["order", "-o", "."], "it is a folder"),
        (["order", "-o", "a\0.jsonl"], "cannot write"),
        (["order", "--truth", "nowhere/t.jsonl"], "no such folder"),
        (["order", "--truth", "-"], "a file of its own"),
        (["order", "-o", "a.jsonl", "--truth", "a.jsonl"], "the same file"),
        ([], "Missing argument"),
    ],
)
def test_a_mistake_is_told_what_is_right_and_writes_nothing(
    run: Run, arguments: list[str], words: str
) -> None:
    result = run("simulate", *arguments)
    assert result.code == 2
    assert words in result.err
    assert files() == []


@pytest.mark.parametrize("name", list(ALL.values()), ids=list(ALL))
def test_hostile_words_do_no_harm(run: Run, name: str) -> None:
    for arguments in ([name], ["order", f"--faults={name}"], ["order", f"--truth=no/{name}"]):
        result = run("simulate", *arguments, "--instances=1", "-o", f"no/{name}")
        assert result.code == 2 or name == "--help", result.err
        assert raw_controls(result.out + result.err) == []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX signals")
def test_an_interrupt_leaves_no_file_behind() -> None:
    command = [*MAIN, "simulate", "order", "--instances=1000000", "-o", "a.jsonl.gz"]
    process = subprocess.Popen(
        command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size for path in Path().glob(".*.part")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    assert all(name.startswith(".") for name in files())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert files() == []


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    command = [*MAIN, "simulate", "order", "--instances=1000000", "-o", "-"]
    process = subprocess.Popen(
        command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=30) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


def test_what_broke_off_is_seen_to_be_broken(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """An error in the middle leaves neither file, not even an empty one."""

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("collectors.simulate.files.to_json", full)
    result = run("simulate", "order", "--instances=2", "-o", "a.jsonl")
    assert (result.code, files()) == (2, [])
    assert "cannot write a.jsonl: No space left on device" in result.err


def test_the_list_names_every_system_and_every_fault(run: Run) -> None:
    result = run("simulate", "--list")
    assert result.code == 0
    listed = set(re.findall(r"^  (\S+)  +\S", result.out, re.MULTILINE))
    assert listed == {*SYSTEMS, *FAULTS}


def test_the_help_names_what_there_is(run: Run) -> None:
    text = " ".join(run("simulate", "--help").out.split())
    for word in (*SYSTEMS, *SHAPES, *STYLES, *CONVENTIONS, *BROKERS, *KEYS):
        assert word in text, word
    assert simulate.FORMATS == FORMATS


def test_the_examples_of_the_help_are_scenarios_that_can_be(run: Run) -> None:
    lines = re.findall(r"^  choreoscope simulate (.*)$", simulate.EPILOG, re.MULTILINE)
    assert len(lines) == 5
    for number, line in enumerate(lines):
        words = [word.strip("'") for word in line.split("|")[0].split()]
        words = words[: words.index("-o")] if "-o" in words else words
        made = run("simulate", *words, "--instances=3", "-o", f"{number}.jsonl")
        assert made.code == 0, (line, made.err)


def _environment() -> dict[str, str]:
    root = str(Path(simulate.__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root, "COLUMNS": "80"}


SCENARIO = "sim:order?instances=60&seed=7&faults=handler-error:0.1"
COMMANDS = (
    ("analyze", "--format", "json", "--fail-on", "none"),
    ("instances", "--format", "json"),
    ("show", "--instance", "ord-100003", "--key", "order.id=app.order_id"),
    ("graph", "--format", "json"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=[one[0] for one in COMMANDS])
def test_a_scenario_is_a_source_of_every_command(run: Run, command: tuple[str, ...]) -> None:
    name, *options = command
    first, second = (run(name, SCENARIO, *options) for _ in range(2))
    assert first.code == 0, first.err
    assert first.out == second.out != ""
    assert files() == []


@pytest.mark.parametrize("command", COMMANDS, ids=[one[0] for one in COMMANDS])
def test_a_mistyped_scenario_is_told_what_is_right(run: Run, command: tuple[str, ...]) -> None:
    name, *options = command
    result = run(name, "sim:order?faults=lots:0.1", *options)
    assert (result.code, result.out) == (3, "")
    assert "did you mean 'lost'" in result.err


def test_a_report_proposes_a_command_that_a_shell_understands(run: Run) -> None:
    """The & and the ? of the scenario are quoted."""
    out = run("analyze", SCENARIO, "--fail-on", "none").out.replace("\n", " ")
    assert f"'{SCENARIO}'" in out


def test_scenario_and_file_give_the_same_report(run: Run) -> None:
    assert run("simulate", SCENARIO, "-o", "a.pb.zst").code == 0
    options = ("--format", "json", "--fail-on", "none")
    simulated, written = (run("analyze", one, *options).out for one in (SCENARIO, "a.pb.zst"))
    assert simulated.replace(SCENARIO, "X").replace("otlp-json", "F") == written.replace(
        "a.pb.zst", "X"
    ).replace("otlp-protobuf", "F")
