"""docs/reports.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from analyzer.reporters.html import findings, lanes_picture
from analyzer.reporters.markdown import LIMIT
from analyzer.reporters.registry import REPORTERS
from analyzer.reporters.rules import RULES
from tests.support.analysis_builder import shop
from tests.support.reports import damaged, render

DOCS = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[tuple[str, ...]]:
    [part] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL)
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[1:]]


def test_the_formats_are_those_of_the_registry() -> None:
    assert rows("Formats") == [(f"`{r.name}`", r.about) for r in REPORTERS]


def test_the_rules_are_those_of_the_code() -> None:
    pages = [(f"[`{r.id}`]({r.help.removeprefix('docs/')})", r.title, r.about) for r in RULES]
    assert rows("Rules") == pages


def test_every_metric_is_described_with_its_labels() -> None:
    described = {
        name: set(re.findall(r"`(\w+)`", labels.partition(";")[0]))
        for names, labels in rows("openmetrics")
        for name in re.findall(r"`(\w+)`", names)
    }
    text = render("openmetrics", shop()) + render("openmetrics", damaged())
    real: dict[str, set[str]] = {name: set() for name in re.findall(r"^# TYPE (\w+)", text, re.M)}
    for name, labels in re.findall(r"^(\w+)\{(.*)\} ", text, re.MULTILINE):
        real[name] |= set(re.findall(r'(\w+)="', labels))
    assert described == real


def test_figures_are_those_of_the_code() -> None:
    assert f"{LIMIT:,} characters" in DOCS
    assert f"{findings.IN_FULL} groups of findings, in a table {findings.ROWS} more" in DOCS
    assert findings.PICTURES == 8
    assert lanes_picture.STEPS > 0
