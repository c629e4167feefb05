"""Runs commands in this process, on a hand-made analysis instead of a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from analyzer.analysis import Analysis
from tests.support.analysis_builder import shop
from tui import cli, load


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line; every call gives its own output."""

    def call(*arguments: str) -> Result:
        code = cli.run(list(arguments))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[Analysis], list[Any]]:
    """Makes every command see this analysis; returns the requests for it, as they come."""

    def use(analysis: Analysis) -> list[Any]:
        seen: list[Any] = []

        def judge(
            recording: object, as_of: int | None, keys: tuple[str, ...], **_: object
        ) -> Analysis:
            seen.append((recording, as_of, keys))
            return analysis

        monkeypatch.setattr(load, "_read", lambda sources: sources)
        monkeypatch.setattr(load, "_judge", judge)
        return seen

    return use


@pytest.fixture
def a_shop(given: Callable[[Analysis], list[Any]]) -> list[Any]:
    """The shop of the builder behind every command."""
    return given(shop())
