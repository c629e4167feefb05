"""Gates of `analyze`: what fails a run, what is known, and that nothing broken is ever green."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analyzer.analysis import Analysis
from analyzer.finding import Finding, Severity
from tests.support.analysis_builder import build, order, shop
from tests.tui.conftest import Run
from tui import load
from tui.fail_on import LEVELS, FailOn, parse_fail_on

Given = Callable[[Analysis], list[Any]]
pytestmark = pytest.mark.usefixtures("a_shop")

CAUSE = shop().findings[0].cause  # of the worst finding, a stuck one


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return tmp_path / "known.yaml"


def entries(baseline: Path, *lines: str) -> Path:
    baseline.write_text("known:\n" + "".join(f"  - {line}\n" for line in lines))
    return baseline


EVERYTHING = '{kind: "*", reason: accepted}'


# -- --fail-on ------------------------------------------------------------------------------------


def test_a_state_fails_the_run_whatever_kind_tells_it() -> None:
    """Ninety stuck instances behind one dark consumer are stuck all the same."""
    analysis = build([order("a"), order("b", "stuck"), order("c", "stuck")])
    ids = analysis.instances.filter(pl.col("state") == "stuck")["id"].to_list()
    dark = Finding("consumer-dark", Severity.ERROR, 0.9, "dark", members=tuple(ids), instances=2)
    note = replace(dark, severity=Severity.NOTE)
    other = replace(dark, members=("another",))
    for finding, words, fails in (
        (dark, {"stuck"}, True),
        (dark, {"late"}, False),
        (dark, {"late", "stuck"}, True),
        (note, {"stuck"}, False),
        (other, {"stuck"}, False),
        (replace(dark, members=(), instance=ids[0]), {"stuck"}, True),
    ):
        told = replace(analysis, findings=(finding,))
        assert bool(FailOn("none", frozenset(words)).failing(told)) is fails


def test_a_ratio_above_one_is_a_slip(run: Run) -> None:
    wrong = run("analyze", "x", "--threshold", "stuck_ratio<27")
    assert wrong.code == 2
    assert "a ratio is at most 1; did you mean stuck_ratio<27%?" in wrong.err
    assert run("analyze", "x", "--threshold", "stuck_ratio<270%").code == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["stuck"], 1),
        (["cycle"], 1),
        (["hub"], 0),
        ([CAUSE], 1),
        (["crashed"], 0),
        (["hub,crashed"], 0),
        (["hub", "error"], 1),
        (["none"], 0),
        (["none,cycle"], 1),
    ],
)
def test_kinds_and_causes_fail_the_run(run: Run, words: list[str], code: int) -> None:
    arguments = [part for word in words for part in ("--fail-on", word)]
    result = run("analyze", "x", *arguments)
    assert result.code == code
    assert ("gate: " in result.err) is bool(code)


@pytest.mark.parametrize(
    ("word", "says"), [("stuk", "did you mean 'stuck'"), ("eror", "'error'"), ("", "unknown word")]
)
def test_a_misspelt_word_is_2(run: Run, word: str, says: str) -> None:
    result = run("analyze", "x", "--fail-on", word)
    assert result.code == 2
    assert says in result.err


def test_two_severities_contradict(run: Run) -> None:
    assert run("analyze", "x", "--fail-on", "error,warning").code == 2


def test_reports_are_never_greener_than_the_exit_code() -> None:
    analysis = shop()
    for words in (["cycle"], ["stuck"], ["error", "cycle"], ["none"], ["hub"], []):
        gate = parse_fail_on(words)
        level = gate.reported_level(analysis)
        failing = gate.failing(analysis)
        assert all(f.severity.rank <= LEVELS.index(level) for f in failing)
        if failing:
            assert level != "none"
    assert FailOn().text == "at or above error"
    assert parse_fail_on(["cycle"]).text == "of cycle"


# -- thresholds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"), [("stuck=2", 0), ("stuck=1", 1), ("stuck_ratio=50%", 0), ("stuck=0", 1)]
)
def test_a_figure_with_a_value_is_its_upper_limit(run: Run, text: str, code: int) -> None:
    result = run("analyze", "x", "--fail-on", "none", "--threshold", text)
    assert result.code == code
    assert f"threshold {text}: " in result.err


def test_the_help_names_every_figure(run: Run) -> None:
    from tui.gates import METRICS

    shown = run("analyze", "--help").out
    for metric in METRICS:
        assert metric in shown


# -- --baseline -----------------------------------------------------------------------------------


def test_known_findings_fail_nothing_and_are_told_as_notes(run: Run, baseline: Path) -> None:
    entries(baseline, EVERYTHING)
    result = run("analyze", "x", "--baseline", str(baseline), "--format", "json")
    assert result.code == 0
    found = json.loads(result.out)["findings"]
    assert {f["severity"] for f in found} == {"note"}
    assert {f["kind"] for f in found} == {f.kind for f in shop().findings}
    assert "4 findings known, 0 new" in result.err
    assert run("analyze", "x", "--baseline", str(baseline), "--fail-on", "note").code == 0
    assert run("analyze", "x", "--baseline", str(baseline), "--fail-on", "cycle").code == 0


def test_code_scanning_sees_known_findings_as_suppressed(run: Run, baseline: Path) -> None:
    entries(baseline, "{kind: stuck, reason: ticket 12, owner: team-a, expires: 2099-01-01}")
    result = run("analyze", "x", "--baseline", str(baseline), "--format", "sarif")
    found = {one["ruleId"]: one for one in json.loads(result.out)["runs"][0]["results"]}
    [suppression] = found.pop("stuck")["suppressions"]
    assert suppression["justification"] == "ticket 12, owner team-a, until 2099-01-01"
    assert {one["baselineState"] for one in found.values()} == {"new"}


def test_what_is_not_known_fails(run: Run, baseline: Path) -> None:
    entries(baseline, "{kind: stuck, reason: ticket 12}")
    result = run("analyze", "x", "--baseline", str(baseline))
    assert result.code == 1
    assert "gate: 1 finding at or above error" in result.err


def test_an_expired_entry_lets_its_finding_return_with_a_warning(run: Run, baseline: Path) -> None:
    entries(baseline, '{kind: "*", reason: until then, owner: team-a, expires: 2023-11-13}')
    result = run("analyze", "x", "--baseline", str(baseline))
    assert result.code == 1
    assert "line 2: *, owner team-a: warning: expired on 2023-11-13" in result.err
    entries(baseline, '{kind: "*", reason: until then, expires: 2023-11-14}')  # the shop's day
    assert run("analyze", "x", "--baseline", str(baseline)).code == 0


def test_an_unused_entry_is_warned_of(run: Run, baseline: Path) -> None:
    entries(baseline, EVERYTHING, "{kind: hub, reason: was there once}")
    result = run("analyze", "x", "--baseline", str(baseline))
    assert result.code == 0
    assert "line 3: hub: warning: nothing is found that it speaks of" in result.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        ("", "empty"),
        ("known:\n  - {kind: stuck}\n", ":2: known[0]: an entry needs the key 'reason'"),
        ("known:\n  - {kind: stuk, reason: x}\n", ":2: unknown kind 'stuk'; did you mean 'stuck'"),
        ("known:\n  - {cause: lsot, reason: x}\n", ":2: unknown cause 'lsot'; did you mean 'lost'"),
        ("known: [\n", "not YAML"),
        ('{"schema_version": "1", "findings": []}', "unknown key"),
    ],
)
def test_a_baseline_that_is_wrong_is_2_before_anything_is_read(
    run: Run, baseline: Path, a_shop: list[Any], content: str | None, says: str
) -> None:
    if content is not None:
        baseline.write_text(content)
    result = run("analyze", "x", "--baseline", str(baseline))
    assert result.code == 2
    assert says in result.err
    assert result.out == ""
    assert a_shop == []


def test_update_writes_what_is_found_and_the_next_run_is_green(
    run: Run, given: Given, baseline: Path
) -> None:
    assert run("analyze", "x").code == 1
    made = run("analyze", "x", "--baseline", str(baseline), "--update-baseline")
    assert made.code == 0
    assert "3 entries, 3 without a reason of yours" in made.err  # two stuck ones are one place
    first = baseline.read_text()
    assert run("analyze", "x", "--baseline", str(baseline)).code == 0
    run("analyze", "x", "--baseline", str(baseline), "--update-baseline")
    assert baseline.read_text() == first
    analysis = shop()
    worse = Finding("failed", Severity.ERROR, 0.9, "new", "w", "ord-y", service="mail", step="x")
    given(replace(analysis, findings=(worse, *analysis.findings)))
    assert run("analyze", "x", "--baseline", str(baseline)).code == 1


def test_a_baseline_of_one_run_knows_the_faults_of_another(
    run: Run, monkeypatch: pytest.MonkeyPatch, baseline: Path
) -> None:
    """Other traces, other keys, other times; the same fault at the same place. Another is news."""
    monkeypatch.undo()
    uri = "sim:order?instances=80&seed={}&faults={}:0.2&target=inventory"
    known = ["--baseline", str(baseline)]
    assert run("analyze", uri.format(1, "crash")).code == 1
    assert run("analyze", uri.format(1, "crash"), *known, "--update-baseline").code == 0
    assert run("analyze", uri.format(2, "crash"), *known).code == 0
    assert run("analyze", uri.format(2, "handler-error"), *known).code == 1


def test_update_keeps_reasons(run: Run, baseline: Path) -> None:
    entries(baseline, "{kind: stuck, reason: ticket 12, owner: team-a, expires: 2030-01-01}")
    run("analyze", "x", "--baseline", str(baseline), "--update-baseline")
    text = baseline.read_text()
    for kept in ("ticket 12", "team-a", "2030-01-01", "not judged yet"):
        assert kept in text


def test_update_without_a_file_is_2(run: Run) -> None:
    assert run("analyze", "x", "--update-baseline").code == 2


def test_a_filter_neither_updates_nor_warns(run: Run, baseline: Path) -> None:
    """What it hides is not gone."""
    entries(baseline, EVERYTHING, "{kind: hub, reason: elsewhere}")
    where = ["--where", "state:stuck", "--baseline", str(baseline)]
    assert "warning" not in run("analyze", "x", *where).err
    assert run("analyze", "x", *where, "--update-baseline").code == 2


def test_nothing_analysed_updates_nothing(run: Run, given: Given, baseline: Path) -> None:
    given(build([]))
    result = run("analyze", "x", "--baseline", str(baseline), "--update-baseline")
    assert result.code == 3
    assert not baseline.exists()


# -- never green ----------------------------------------------------------------------------------


def test_a_typo_in_a_path_is_never_green(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, baseline: Path
) -> None:
    monkeypatch.undo()
    entries(baseline, EVERYTHING)
    for more in ([], ["--fail-on", "none"], ["--baseline", str(baseline)]):
        assert run("analyze", str(tmp_path / "tpyo.jsonl"), *more).code == 3
        assert run("analyze", str(tmp_path / "*.jsonl"), *more).code == 3


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"resourceSpans":[]}\n', b"{}", b"<html>"])
def test_an_empty_export_is_never_green(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    monkeypatch.undo()
    path = tmp_path / "spans.jsonl"
    path.write_bytes(content)
    assert run("analyze", str(path), "--fail-on", "none").code == 3


def test_a_crash_is_never_green_whatever_the_gate(
    run: Run, monkeypatch: pytest.MonkeyPatch, baseline: Path
) -> None:
    entries(baseline, EVERYTHING)

    def crash(*_: object, **__: object) -> Analysis:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(load, "_judge", crash)
    for more in (["--fail-on", "none"], ["--baseline", str(baseline)], ["--allow-empty"]):
        assert run("analyze", "x", *more).code == 4


def test_a_healthy_run_is_green(run: Run, given: Given, baseline: Path) -> None:
    """So that the tests above cannot pass by failing always."""
    given(build([order(f"ord-{n}") for n in range(3)]))
    entries(baseline, EVERYTHING)
    assert run("analyze", "x", "--fail-on", "note", "--threshold", "stuck=0").code == 0
    assert run("analyze", "x", "--baseline", str(baseline)).code == 0
