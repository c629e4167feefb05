"""The JSON report follows its schema to the letter, and is the same byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from analyzer.analysis import Analysis
from analyzer.reporters.context import Context
from analyzer.reporters.json import render
from tests.support.analysis_builder import build, hostile_shop, shop
from tui.commands.schema import schema_text

SCHEMA = json.loads(schema_text())


def strict(node: Any) -> Any:
    """The schema with every object closed: a field that it does not describe is an error."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: strict(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def problems(analysis: Analysis, context: Context) -> list[str]:
    report = json.loads(render(analysis, context))
    return [error.message for error in Draft202012Validator(strict(SCHEMA)).iter_errors(report)]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "analysis", [shop(), build([]), hostile_shop("\x1b[1m"), hostile_shop("")], ids=str
)
def test_reports_are_what_the_schema_says(analysis: Analysis) -> None:
    assert problems(analysis, Context()) == []
    assert problems(analysis, Context(where="a", instances_before_where=3)) == []


@pytest.mark.parametrize(
    "path",
    [
        ["as_of"],
        ["input", "spans"],
        ["findings", 0, "severity"],
        ["findings", 0, "waiting_for"],
        ["workflows", 0, "by_state"],
        ["edges", 0, "kind"],
    ],
)
def test_the_schema_notices_what_is_wrong(path: list[Any]) -> None:
    report = json.loads(render(shop(), Context()))
    place = report
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = "nonsense"
    assert not Draft202012Validator(SCHEMA).is_valid(report)
    del place[path[-1]]
    assert not Draft202012Validator(SCHEMA).is_valid(report)


def test_the_fields_of_the_contract_come_first_and_in_its_order() -> None:
    report = json.loads(render(shop(), Context()))
    assert list(report)[:9] == [
        "schema_version", "as_of", "input", "workflows", "instances", "findings", "services",
        "edges", "hotspots",
    ]  # fmt: skip
    assert list(report["findings"][0])[:18] == [
        "kind", "severity", "confidence", "workflow", "instance", "trace_ids", "service", "step",
        "waiting_for", "since", "deadline", "overdue_s", "cause", "causes", "evidence", "instances",
        "fingerprint", "message",
    ]  # fmt: skip
    assert list(report["input"])[:8] == [
        "sources", "spans", "links", "traces", "services", "duplicates", "rejected", "warnings",
    ]  # fmt: skip


def test_the_same_analysis_gives_the_same_bytes() -> None:
    """Also where the findings come in another order."""
    from dataclasses import replace

    analysis = shop()
    turned = replace(analysis, findings=analysis.findings[::-1], workflows=analysis.workflows[::-1])
    assert render(analysis, Context()) == render(shop(), Context()) == render(turned, Context())


def test_numbers_that_are_no_numbers_become_null() -> None:
    from dataclasses import replace

    import polars as pl

    analysis = shop()
    finding = replace(analysis.findings[0], overdue_s=float("inf"))
    services = analysis.services.with_columns(instability=pl.lit(float("nan")))
    report = json.loads(
        render(replace(analysis, findings=(finding,), services=services), Context()),
        parse_constant=lambda word: pytest.fail(f"bare {word}"),
    )
    assert report["findings"][0]["overdue_s"] is None
    assert report["services"][0]["instability"] is None
