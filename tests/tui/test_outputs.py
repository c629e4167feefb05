"""Reports on disk: each format whole or not at all, and no failure that looks green."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import junitparser
import pytest

from analyzer.analysis import Analysis
from analyzer.reporters import sarif
from analyzer.reporters.registry import REPORTERS
from tests.support.analysis_builder import build
from tests.tui.conftest import Run
from tui import outputs
from tui.outputs import BINARY, FORMATS

formats = pytest.mark.parametrize("name", FORMATS)


@formats
@pytest.mark.usefixtures("a_shop")
def test_every_format_is_written_to_a_file_and_nothing_beside_it(
    run: Run, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "out"
    result = run("analyze", "x", "--output", f"{name}={path}")
    assert result.code == 1
    assert "FINDINGS" in result.out  # the text still goes to the terminal
    assert path.stat().st_size > 100
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.usefixtures("a_shop")
def test_all_formats_at_once(run: Run, tmp_path: Path) -> None:
    wanted = [word for n in FORMATS for word in ("--output", f"{n}={tmp_path / n}")]
    assert run("analyze", "x", *wanted).code == 1
    assert sorted(os.listdir(tmp_path)) == sorted(FORMATS)


@formats
@pytest.mark.usefixtures("a_shop")
def test_every_text_format_goes_to_standard_output_as_to_a_file(
    run: Run, tmp_path: Path, name: str
) -> None:
    for arguments in (["--format", name], ["--output", f"{name}=-"]):
        result = run("analyze", "x", *arguments)
        if name in BINARY:
            assert result.code == 2
            assert f"{name} is binary" in result.err
            assert result.out == ""
        else:
            assert result.code == 1
            run("analyze", "x", "--output", f"{name}={tmp_path / 'file'}")
            assert result.out == (tmp_path / "file").read_text(encoding="utf-8")


@formats
def test_a_path_that_cannot_be_is_told_before_anything_is_read(
    run: Run, a_shop: list[Any], tmp_path: Path, name: str
) -> None:
    for path in (tmp_path / "none" / "out", tmp_path, Path("/dev/null/out")):
        result = run("analyze", "x", "--output", f"{name}={path}")
        assert result.code == 2
        assert "cannot write" in result.err
        assert result.out == ""
    assert a_shop == []


@formats
@pytest.mark.usefixtures("a_shop")
def test_a_disk_that_is_full_leaves_the_old_report_and_says_so(
    run: Run, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    path.write_text("of yesterday")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outputs.os, "replace", full)
    result = run("analyze", "x", "--output", f"{name}={path}")
    assert result.code == 2
    assert "No space left on device" in result.err
    assert path.read_text() == "of yesterday"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.usefixtures("a_shop")
def test_a_crash_in_one_report_writes_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> str:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(sarif, "render", crash)
    result = run("analyze", "x", "--output", f"junit={tmp_path / 'a'}",
                 "--output", f"sarif={tmp_path / 'b'}")  # fmt: skip
    assert result.code == 4
    assert result.out == ""
    assert os.listdir(tmp_path) == []


def test_an_empty_export_is_green_nowhere(
    run: Run, given: Callable[[Analysis], list[Any]], tmp_path: Path
) -> None:
    given(build([]))
    path = tmp_path / "out.xml"
    assert run("analyze", "x", "--output", f"junit={path}").code == 3
    assert junitparser.JUnitXml.fromfile(str(path)).errors == 1
    assert run("analyze", "x", "--allow-empty", "--output", f"junit={path}").code == 0
    assert junitparser.JUnitXml.fromfile(str(path)).errors == 0


@pytest.mark.usefixtures("a_shop")
def test_the_gate_of_the_run_is_the_gate_of_its_reports(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    for level, failures, code in (("none", 0, 0), ("error", 2, 1), ("note", 3, 1)):
        result = run("analyze", "x", "--fail-on", level, "--output", f"junit={path}")
        assert result.code == code
        assert junitparser.JUnitXml.fromfile(str(path)).failures == failures


@pytest.mark.usefixtures("a_shop")
def test_a_link_keeps_leading_where_it_leads(run: Run, tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    run("analyze", "x", "--output", f"json={link}")
    assert link.is_symlink()
    assert target.read_text().startswith("{")
    result = run("analyze", "x", "--output", f"json={link}", "--output", f"text={target}")
    assert result.code == 2
    assert "same path" in result.err


@pytest.mark.usefixtures("a_shop")
def test_a_format_that_does_not_exist_is_told_the_nearest(run: Run) -> None:
    result = run("analyze", "x", "--output", "junti=a")
    assert result.code == 2
    assert "did you mean 'junit'?" in result.err
    assert "markdown" in run("analyze", "x", "--output", "qqq=a").err


def test_the_help_lists_the_formats_of_the_registry(run: Run) -> None:
    listed = run("analyze", "--help").out
    for reporter in REPORTERS:
        assert f"  {reporter.name} " in listed
        assert reporter.about in listed
