"""What a user types, and file names that a shell expands, are foreign text too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hostile import ALL, raw_controls
from tests.tui.conftest import Run

names = pytest.mark.parametrize("name", list(ALL.values()), ids=list(ALL))


@names
@pytest.mark.usefixtures("a_shop")
def test_hostile_options_do_no_harm(run: Run, name: str) -> None:
    for arguments in (
        ["analyze", "x", f"--where={name}"],
        ["instances", "x", f"--where={name}"],
        ["show", "x", f"--instance={name}"],
        ["graph", "x", f"--instance={name}"],
        ["analyze", "x", f"--key={name}", "--fail-on=none"],
        ["analyze", "x", f"--as-of={name}"],
        ["analyze", "x", f"--threshold={name}"],
        ["analyze", "x", f"--output=json={name}/no such folder/x"],
        ["instances", "x", f"--sort={name}"],
        ["analyze", "x", f"--format={name}"],
        [name or "no such command"],
    ):
        result = run(*arguments)
        assert result.code in (0, 1, 2, 3), (arguments, result.err)
        assert raw_controls(result.out + result.err) == [], arguments


@names
def test_hostile_file_names_do_no_harm(
    run: Run, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, and one of that name that holds garbage."""
    monkeypatch.chdir(tmp_path)
    result = run("analyze", "--", f"./{name}")
    assert result.code == 3, result.err
    assert raw_controls(result.out + result.err) == []
    try:
        (tmp_path / name).write_text('{"resourceSpans": 3}\nnot json\n')
    except (OSError, ValueError):
        return  # no file can be called so
    result = run("analyze", "--", f"./{name}")
    assert result.code == 3, result.err
    assert raw_controls(result.out + result.err) == []
