"""The words of the command line are those of the detectors: none is missing, none invented."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from analyzer.coupling.findings import READINGS
from analyzer.finding import Severity, State
from tui.words import CAUSES, finding_kinds

ROOM = Path(__file__).parents[2] / "analyzer"


def literals(*folders: str) -> set[str]:
    """The texts in calls of `pl.lit` and `Cause` below these folders."""
    found = set()
    for path in (p for folder in folders for p in (ROOM / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pl.lit", "Cause"):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return {word for word in found if re.fullmatch(r"[a-z]+(-[a-z]+)*", word)}


def test_every_word_of_a_detector_is_known() -> None:
    """A cause that the gates do not know could not be named; a new one has to join the list."""
    others = {str(one) for one in (*State, *Severity, *finding_kinds())}
    assert literals("detectors") - others <= set(CAUSES)
    assert {one.cause for one in READINGS.values()} <= set(CAUSES)


def test_every_cause_is_somebodys() -> None:
    known = literals("detectors", "results", "conformance", "expectation")
    assert set(CAUSES) <= known | {one.cause for one in READINGS.values()}
    assert list(CAUSES) == sorted(set(CAUSES))
