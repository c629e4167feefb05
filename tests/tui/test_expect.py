"""Expectations on the command line: what is refused, what is reported, which exit code."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.conformance.test_contracts import CATALOG, V2
from tests.conformance.test_rules import order, orders
from tests.support.hostile import HOSTILE
from tests.support.spans import Tape
from tests.tui.conftest import Run
from tui.commands.schema import schema_text
from tui.exits import Exit

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "fixtures/demo/orders.jsonl.gz"
HEALTHY = ROOT / "fixtures/recordings/healthy/spans.jsonl.gz"
STOCK = """\
workflows:
  order:
    starts: "POST /orders"
    steps:
      - {step: "process orders", service: stock, within: 5m, required: true, owner: team-stock}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(tape: Tape, path: str = "spans.jsonl") -> str:
    Path(path).write_bytes(b"\n".join(tape.lines()) + b"\n")
    return path


def lost_one() -> Tape:
    tape = orders(3)
    order(tape, 10.0, None)
    return tape


def test_a_newcomer_learns_holds_edits_and_updates(run: Run, here: Path) -> None:
    """learn from one recording, hold another one against it, edit, bring up to date."""
    made = run("learn", str(DEMO), "-o", "e.yaml")
    assert (made.code, made.out) == (Exit.CLEAN, "")
    assert "learned 1 workflow with 14 steps, 12 of them required" in made.err
    good = run("analyze", str(HEALTHY), "--expect", "e.yaml")
    assert good.code == Exit.CLEAN
    assert "EXPECTATIONS" in good.out
    assert " broken" not in good.out.partition("EXPECTATIONS")[2].partition("FINDINGS")[0]
    bad = run("analyze", str(DEMO), "--expect", "e.yaml")
    assert bad.code == Exit.FINDINGS
    text = Path("e.yaml").read_text().replace("within: 5s", "within: 7m")
    Path("e.yaml").write_text(text)
    assert run("learn", str(HEALTHY), "--update", "e.yaml").code == Exit.CLEAN
    after = Path("e.yaml").read_text()
    assert "within: 7m" in after
    assert "by this recording" in after


def test_learn_does_not_overwrite_what_is_there(run: Run, here: Path) -> None:
    Path("e.yaml").write_text("mine")
    result = run("learn", str(DEMO), "-o", "e.yaml")
    assert result.code == Exit.USAGE
    assert "e.yaml exists; 'learn --update e.yaml' keeps what you wrote in it" in result.err
    assert Path("e.yaml").read_text() == "mine"


def test_learn_of_too_little_is_no_file_and_not_green(run: Run, here: Path) -> None:
    result = run("learn", save(orders(2)), "-o", "e.yaml")
    assert result.code == Exit.INPUT
    assert "nothing to learn: of 2 instances no workflow has 5 complete ones" in result.err
    assert not Path("e.yaml").exists()


def test_errors_of_every_file_are_told_before_anything_is_read(run: Run, here: Path) -> None:
    Path("e.yaml").write_text("workflows: {a: {start: x}}\nasyncapi: [a.yaml]\n")
    Path("b.yaml").write_text("openapi: 3.0.0\n")
    result = run("analyze", "no-such-file", "--expect", "e.yaml", "--asyncapi", "b.yaml")
    assert (result.code, result.out) == (Exit.USAGE, "")
    assert (
        "e.yaml:1: workflows.a.start: unknown key in a workflow; did you mean 'starts'?"
        in result.err
    )
    assert "b.yaml:1: is not an AsyncAPI document" in result.err


@pytest.mark.parametrize("command", ["analyze", "instances", "show"])
def test_a_file_that_cannot_be_read(run: Run, here: Path, command: str) -> None:
    save(orders(2))
    more = ("--instance", "x") if command == "show" else ()
    Path("bytes.yaml").write_bytes(b"\xff\xfe\x00")
    os.mkfifo("pipe")
    for name, said in (
        ("nope.yaml", "No such file"), (".", "is a folder"), ("bytes.yaml", "is no UTF-8 text"),
        ("pipe", "is no plain file"),
    ):  # fmt: skip
        result = run(command, "spans.jsonl", *more, "--expect", name)
        assert (result.code, result.out) == (Exit.USAGE, "")
        assert f"cannot read {name}: " in result.err
        assert said in result.err


def test_every_command_judges_by_the_file(run: Run, here: Path) -> None:
    save(lost_one())
    Path("e.yaml").write_text(STOCK)
    plain = run("instances", "spans.jsonl", "--format", "json", "--as-of", "+1h")
    assert '"state":"stuck"' not in plain.out
    listed = run(
        "instances", "spans.jsonl", "--format", "json", "--as-of", "+1h", "--expect", "e.yaml"
    )
    [stuck] = [one for one in map(json.loads, listed.out.splitlines()) if one["state"] == "stuck"]
    shown = run("show", "spans.jsonl", "--instance", stuck["instance"], "--as-of", "+1h",
                "--expect", "e.yaml")  # fmt: skip
    assert "declared for order: required, within 5m" in " ".join(shown.out.split())
    found = run("analyze", "spans.jsonl", "--as-of", "+1h", "--expect", "e.yaml")
    assert found.code == Exit.FINDINGS
    assert "owner    team-stock" in found.out
    assert "--as-of +1h --expect e.yaml --instance" in found.out


def test_the_json_says_it_all_and_fits_the_schema(run: Run, here: Path) -> None:
    save(lost_one())
    Path("e.yaml").write_text(STOCK)
    Path("a.yaml").write_text(V2)
    result = run("analyze", "spans.jsonl", "--as-of", "+1h", "--expect", "e.yaml",
                 "--asyncapi", "stock=a.yaml", "--format", "json")  # fmt: skip
    report = json.loads(result.out)
    Draft202012Validator(json.loads(schema_text())).validate(report)
    conformance = report["conformance"]
    assert conformance["sources"] == ["e.yaml", "a.yaml"]
    [workflow] = conformance["workflows"]
    assert (workflow["name"], workflow["instances"]) == ("order", 4)
    [starts, stock] = workflow["checks"]
    assert starts["outcome"] == "held"
    assert (stock["rule"], stock["held"], stock["broken"]) == ("required", 3, 1)
    assert (stock["owner"], stock["source"], stock["line"]) == ("team-stock", "e.yaml", 5)
    assert {one["owner"] for one in report["findings"] if one["kind"] == "stuck"} == {"team-stock"}
    again = run("analyze", "spans.jsonl", "--as-of", "+1h", "--expect", "e.yaml",
                "--asyncapi", "stock=a.yaml", "--format", "json")  # fmt: skip
    assert again.out == result.out


def test_what_is_not_due_yet_is_neither_broken_nor_hidden(run: Run, here: Path) -> None:
    save(lost_one())
    Path("e.yaml").write_text(STOCK)
    result = run("analyze", "spans.jsonl", "--expect", "e.yaml")
    assert result.code == Exit.CLEAN
    assert "1 not judged: not due yet" in " ".join(result.out.split())


def test_a_key_that_no_span_carries_is_told(run: Run, here: Path) -> None:
    """It joins nothing; the report looks as if the recording had no such cases."""
    tape = orders(3)
    tape.span("shop", "pay", 10.0, attributes={"order.id": "1"})
    save(tape)
    wrong = run("analyze", "spans.jsonl", "--key", "orderid", "--fail-on", "none")
    assert "no span carries 'orderid'; did you mean 'order.id'?" in wrong.err
    assert "no span" not in run("analyze", "spans.jsonl", "--key", "orderid=order.id").err
    Path("e.yaml").write_text(STOCK + "    keys: [order_nr]\n")
    assert "no span carries 'order_nr'" in run("analyze", "spans.jsonl", "--expect", "e.yaml").err


def test_a_moment_before_the_recording_is_refused(run: Run, here: Path) -> None:
    """A slip in the year would find nothing wrong."""
    save(orders(3))
    early = run("analyze", "spans.jsonl", "--as-of", "2013-11-14T22:13:22Z")
    assert early.code == Exit.USAGE
    assert "before the first span; the recording goes from 2023-11-14 22:13:20Z to" in early.err
    within = run("analyze", "spans.jsonl", "--as-of", "2023-11-14T22:13:21Z")
    assert "lies before the last event (2023-11-14 22:13:2" in within.err
    assert "lies before" not in run("analyze", "spans.jsonl", "--as-of", "+1h").err


def test_where_nothing_could_be_judged_it_is_not_green(run: Run, here: Path) -> None:
    """A misspelt name in the file."""
    save(orders(3))
    Path("e.yaml").write_text(STOCK.replace("POST /orders", "POST /order"))
    result = run("analyze", "spans.jsonl", "--expect", "e.yaml")
    assert result.code == Exit.INPUT
    assert "nothing judged: none of 1 declared expectations could be judged" in result.err
    assert "'POST /orders'" in result.out
    assert run("analyze", "spans.jsonl", "--expect", "e.yaml", "--allow-empty").code == Exit.CLEAN


def test_documents_may_stand_in_the_file_relative_to_it(run: Run, here: Path) -> None:
    save(orders(3))
    shutil.os.makedirs("conf/docs")  # type: ignore[attr-defined]
    Path("conf/docs/a.yaml").write_text(V2)
    for path, _, text in CATALOG:
        target = Path("conf/catalog") / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    Path("conf/e.yaml").write_text(
        STOCK + "asyncapi: [{file: docs/a.yaml, service: stock}]\neventcatalog: catalog\n"
    )
    result = run("analyze", "spans.jsonl", "--expect", "conf/e.yaml", "--format", "json")
    report = json.loads(result.out)
    assert report["conformance"]["sources"] == ["conf/e.yaml", "conf/docs/a.yaml", "conf/catalog"]
    receives = [one for one in report["conformance"]["contracts"] if one["rule"] == "receives"]
    assert {one["subject"]: one["outcome"] for one in receives}["stock"] == "held"


def test_a_reference_does_not_lead_out_of_the_folder(run: Run, here: Path) -> None:
    save(orders(2))
    (here / "docs").mkdir()
    Path("docs/a.yaml").write_text("asyncapi: 2.0.0\nchannels: {a: {$ref: '../../secret.yaml#/x'}}")
    result = run("analyze", "spans.jsonl", "--asyncapi", "docs/a.yaml")
    assert result.code == Exit.USAGE
    assert "leads out of the folder" in result.err


@pytest.mark.parametrize("text", ["x", "+5", "+", "+-5m"])
def test_a_time_after_the_end_has_a_unit(run: Run, here: Path, text: str) -> None:
    result = run("analyze", save(orders(2)), "--as-of", text)
    assert result.code == Exit.USAGE
    assert "--as-of" in result.err


def test_hostile_names_are_declared_learned_and_shown_inert(run: Run, here: Path) -> None:
    """Every name of the corpus as a service: through learn, the file, the report, the errors."""
    names = [n for n in HOSTILE.values() if n.strip() and len(n) < 200]
    tape = Tape()
    for n in range(6):
        root = tape.serve("shop", "POST /orders", n * 10.0, 8.0)
        for at, name in enumerate(names):
            name = name.encode("utf-8", "replace").decode()
            tape.send(name, "out", n * 10.0 + 0.01 * (at + 1), parent=root)
    save(tape)
    made = run("learn", "spans.jsonl", "-o", "e.yaml", "--as-of", "+1h")
    assert made.code == Exit.CLEAN, made.err
    text = Path("e.yaml").read_bytes().decode()
    assert "\x1b" not in text
    assert run("learn", "spans.jsonl", "--update", "e.yaml", "--as-of", "+1h").code == Exit.CLEAN
    assert Path("e.yaml").read_bytes().decode() == text
    found = run("analyze", "spans.jsonl", "--expect", "e.yaml", "--fail-on", "none")
    assert found.code == Exit.CLEAN, found.err
    assert all(c == "\n" or c.isprintable() for c in found.out)


def test_the_schema_of_the_file_is_printed(run: Run) -> None:
    result = run("schema", "expectations")
    Draft202012Validator.check_schema(json.loads(result.out))
    assert run("schema", "nope").code == Exit.USAGE
