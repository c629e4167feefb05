"""Every quirk of `fixtures/quirks`: what the field emits, beside what is to be made of it.

A folder holds `spans.jsonl` and `expected.json`; each field there is optional and checked alone.
Number 23 (AsyncAPI v2 turns publish and subscribe round) is about documents, not about spans.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from tests.support.spans import COUPLING, kinds

QUIRKS = Path(__file__).resolve().parents[2] / "fixtures" / "quirks"
FOLDERS = sorted(path for path in QUIRKS.iterdir() if path.is_dir())
FIELDS = {
    "quirk",
    "keys",
    "states",
    "edges",
    "edge_kinds",
    "findings",
    "no_findings",
    "never",
    "notes",
    "no_notes",
    "ids",
    "trace_counts",
    "waits_ns",
    "waiting_for",
    "suggests",
}


def labels(analysis: Analysis) -> list[list[str]]:
    """The distinct edges, as labels of their ends."""
    name = pl.concat_str(
        pl.col("service").cast(pl.String), pl.lit(": "), pl.col("operation").cast(pl.String)
    )
    steps = analysis.steps.select(name=name).to_series()
    pairs = zip(steps[analysis.edges["source"]], steps[analysis.edges["target"]], strict=True)
    return [list(pair) for pair in sorted(set(pairs))]


def told(analysis: Analysis) -> dict[str, list[str]]:
    """Kinds of findings with their causes."""
    found: dict[str, set[str]] = {}
    for one in analysis.findings:
        if one.kind not in COUPLING:
            found.setdefault(one.kind, set()).add(one.cause)
    return {kind: sorted(causes) for kind, causes in found.items()}


def causes(analysis: Analysis) -> set[str]:
    """Every cause that a finding names, the weaker ones too."""
    return {cause.cause for one in analysis.findings for cause in one.causes}


def check(analysis: Analysis, field: str, wanted: Any) -> None:
    """One field of `expected.json`."""
    notes = {note.kind for note in analysis.data_notes}
    waiting = {str(one.waiting_for.service) for one in analysis.findings} - {"None"}
    match field:
        case "states":
            assert analysis.by_state == wanted
        case "edges":
            assert labels(analysis) == sorted(wanted)
        case "edge_kinds":
            assert set(analysis.service_edges["kind"]) <= set(wanted)
        case "findings":
            assert told(analysis) == wanted
        case "no_findings":
            assert not kinds(analysis) & set(wanted)
        case "never":
            assert not causes(analysis) & set(wanted)
        case "notes":
            assert set(wanted) <= notes
        case "no_notes":
            assert not set(wanted) & notes
        case "ids":
            assert analysis.instances["id"].to_list() == wanted
        case "trace_counts":
            assert analysis.instances["trace_ids"].list.len().unique().to_list() == wanted
        case "waits_ns":
            between = analysis.edges.filter(pl.col("skew_ns") > 0)
            assert between["wait_ns"].unique().to_list() == wanted
        case "waiting_for":
            assert sorted(waiting) == wanted
        case "suggests":
            assert [one.kind for one in analysis.key_suggestions] == wanted
        case _:
            assert field in FIELDS


# (quirk, field): why the analysis still gets it wrong. Empty is how it should be.
XFAIL: dict[tuple[str, str], str] = {}


def cases() -> list[Any]:
    found = []
    for folder in FOLDERS:
        expected = json.loads((folder / "expected.json").read_text())
        for field in expected:
            if field in ("quirk", "keys"):
                continue
            reason = XFAIL.get((folder.name, field))
            marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
            found.append(pytest.param(folder.name, field, marks=marks, id=f"{folder.name}-{field}"))
    return found


@pytest.fixture(scope="module")
def analyses() -> dict[str, Analysis]:
    return {}


@pytest.mark.parametrize(("name", "field"), cases())
def test_quirk(analyses: dict[str, Analysis], name: str, field: str) -> None:
    expected = json.loads((QUIRKS / name / "expected.json").read_text())
    if name not in analyses:
        path = QUIRKS / name / "spans.jsonl"
        analyses[name] = analyze(path, keys=expected.get("keys", []))
    check(analyses[name], field, expected[field])


def test_every_field_is_known_and_every_quirk_has_a_folder() -> None:
    numbers = set()
    for folder in FOLDERS:
        expected = json.loads((folder / "expected.json").read_text())
        assert set(expected) <= FIELDS, folder.name
        assert len(expected) > 2 or "findings" in expected or "edges" in expected, folder.name
        numbers.add(int(folder.name[:2]))
    assert numbers == set(range(1, 37)) - {23}
