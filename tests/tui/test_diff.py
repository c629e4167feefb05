"""`choreoscope diff`: exit codes, streams, gates; a broken baseline is never green."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tui.conftest import Run

RUN = "sim:order?instances=60&seed=1"
SAME = "sim:order?instances=60&seed=2"
OTHER = "sim:order?instances=60&seed=3&faults=rejection:0.5"


@pytest.fixture
def report(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    assert run("analyze", RUN, "--output", f"json={path}").code == 0
    return path


def test_nothing_changed_is_0_in_one_sentence(run: Run, report: Path) -> None:
    for before in (RUN, str(report)):
        result = run("diff", before, SAME, "--fail-on", "any")
        assert result.code == 0, result.out
        assert "Nothing changed" in result.out


def test_a_change_is_told_and_fails_only_where_it_is_named(run: Run, report: Path) -> None:
    for before in (RUN, str(report)):
        plain = run("diff", before, OTHER)
        assert plain.code == 0
        assert "new-step" in plain.out
        failed = run("diff", before, OTHER, "--fail-on", "gone,new-step")
        assert failed.code == 1
        assert failed.out == plain.out
        assert "gate: " in failed.err
        assert run("diff", before, OTHER, "--fail-on", "gone-edge,slower").code == 0


def test_both_sides_may_be_reports(run: Run, report: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    run("analyze", OTHER, "--output", f"json={other}", "--fail-on", "none")
    assert run("diff", str(report), str(report), "--fail-on", "any").code == 0
    assert run("diff", str(report), str(other), "--fail-on", "new").code == 1


def test_formats_and_files(run: Run, report: Path, tmp_path: Path) -> None:
    written = tmp_path / "summary.md"
    result = run("diff", str(report), OTHER, "--format", "json", "--output", f"markdown={written}")
    document = json.loads(result.out)
    assert document["after"]["name"] == OTHER
    assert document["counts"]["new-step"] == len(
        [c for c in document["changes"] if c["kind"] == "new-step"]
    )
    assert "| new-step |" in written.read_text()


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{}",
        '{"schema_version": "1"}',
        '{"schema_version": "99", "workflows": []}',
        '{"schema_version": "1", "workflows": [{',
        "not json at all",
        '{"resourceSpans": []}',
    ],
)
def test_a_broken_baseline_is_2_whatever_is_wrong(
    run: Run, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "baseline.json"
    if content is not None:
        path.write_text(content)
    result = run("diff", str(path), SAME)
    assert result.code == 2
    assert result.out == ""
    assert "BEFORE: " in result.err


def test_a_cut_off_report_is_2(run: Run, report: Path) -> None:
    report.write_bytes(report.read_bytes()[:-500])
    assert run("diff", str(report), SAME).code == 2


def test_a_report_of_a_damaged_input_is_no_baseline(run: Run, report: Path) -> None:
    fields = json.loads(report.read_text())
    fields["input"]["rejected"] = {"invalid-json": 2}
    report.write_text(json.dumps(fields))
    assert run("diff", str(report), SAME).code == 2
    assert run("diff", SAME, str(report)).code == 3


@pytest.mark.parametrize("content", [None, "", "{}", "nothing"])
def test_an_unusable_after_is_3(run: Run, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "after.jsonl"
    if content is not None:
        path.write_text(content)
    result = run("diff", RUN, str(path), "--fail-on", "any")
    assert result.code == 3
    assert result.out == ""


def test_two_systems_are_2(run: Run) -> None:
    result = run("diff", RUN, "sim:login?instances=20")
    assert result.code == 2
    assert "two systems" in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fail-on", "new-egde"], "did you mean 'new-edge'"),
        (["--fail-on", "cycle"], "cycle"),
        (["--output", "pdf=a"], "FORMAT=PATH"),
        (["--output", "json=-"], "FORMAT=PATH"),
        (["--output", "json=/no/such/folder/a"], "no such folder"),
        (["--alpha", "0"], "alpha"),
    ],
)
def test_a_wrong_option_is_2_before_anything_is_read(
    run: Run, arguments: list[str], says: str
) -> None:
    result = run("diff", "no-such-file", "no-such-file-either", *arguments)
    assert result.code == 2
    assert says in result.err
    assert "does not exist" not in result.err


def test_a_crash_is_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("analyzer.comparison.compare", crash)
    assert run("diff", RUN, SAME, "--fail-on", "any").code == 4
