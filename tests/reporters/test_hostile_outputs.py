"""Hostile names through every output there is: nothing raw, nothing breaks, structure holds."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from analyzer.analysis import Analysis
from analyzer.graphs import service_graph
from analyzer.reporters import graph_table, instance_json, instances, lanes
from analyzer.reporters.context import Context
from analyzer.reporters.graph_formats import GRAPH_FORMATS
from analyzer.reporters.registry import REPORTERS, Reporter
from analyzer.reporters.style import Style
from tests.support.analysis_builder import hostile_shop
from tests.support.hostile import HOSTILE, raw_controls

names = pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))
STYLES = (Style(80), Style(132, colour=True), Style(60, unicode=False))
COLOURS = tuple(f"\x1b[{codes}m" for codes in ("0", "1", "2", *(f"3{n}" for n in range(1, 7))))

Output = tuple[str, Callable[[Analysis, str, Style], str]]


def _context(name: str, style: Style) -> Context:
    return Context(style, where=name, instances_before_where=2, sources=(name,))


def _table(analysis: Analysis, _: str, style: Style) -> str:
    return "".join(instances.table_lines(analysis.instances, style, analysis.as_of_ns))


def _report(reporter: Reporter, analysis: Analysis, name: str, style: Style) -> str:
    """A report as text; of a table in bytes, what a reader shows of its schema and size."""
    made = reporter.render(analysis, _context(name, style))
    assert isinstance(made, bytes) == reporter.binary
    if isinstance(made, bytes):
        frame = pl.read_parquet(io.BytesIO(made))
        return f"{frame.schema} {frame.shape}\n"
    return made


OUTPUTS: tuple[Output, ...] = (
    *((r.name, lambda a, n, s, r=r: _report(r, a, n, s)) for r in REPORTERS),
    *(
        (f"service graph {form}", lambda a, _n, _s, export=export: export(service_graph(a)))
        for form, export in GRAPH_FORMATS
    ),
    *(
        (f"instance {form}", lambda a, n, _s, export=export: export(a.instance(n + "a").graph()))
        for form, export in GRAPH_FORMATS
    ),
    ("instances table", _table),
    ("instances json", lambda a, _n, _s: "".join(instances.json_lines(a.instances))),
    ("instances csv", lambda a, _n, _s: "".join(instances.csv_lines(a.instances))),
    ("lanes", lambda a, n, s: lanes.render(a.instance(n + "a"), s)),
    ("show json", lambda a, n, _s: instance_json.render(a.instance(n + "a"))),
    ("graph table", lambda a, _n, s: graph_table.services(a, s)),
    ("steps table", lambda a, n, s: graph_table.steps(a.instance(n + "a"), s)),
)


def _plain(text: str) -> str:
    """Without our own colours, the only escape sequences that may be there."""
    for colour in (*COLOURS, "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m"):
        text = text.replace(colour, "")
    return text


# No foreign colon, comma, percent sign or second "::" can be told from ours.
COMMAND = re.compile(r"::(error|warning|notice) (file=[^:,]+,)?title=[^:,]+::((?!::).)*")
HUMAN = ("text", "instances table", "lanes", "graph table", "steps table")
SHOPS = {label: (name, hostile_shop(name)) for label, name in HOSTILE.items()}


@pytest.mark.parametrize(("kind", "output"), OUTPUTS, ids=[kind for kind, _ in OUTPUTS])
def test_no_output_holds_a_raw_control(kind: str, output: Callable[..., str]) -> None:
    for label, (name, analysis) in SHOPS.items():
        for style in STYLES if kind in HUMAN else STYLES[:1]:
            text = _plain(output(analysis, name, style))
            assert raw_controls(text) == [], label
            assert "##[" not in text, label
            if kind == "github":  # its commands are the point: every line is one of ours
                assert all(COMMAND.fullmatch(line) for line in text.splitlines()), label
            else:
                assert not any(line.lstrip().startswith("::") for line in text.splitlines()), label
            assert text.endswith("\n"), label
            assert text.isascii() or style.unicode or not name.isascii(), label


@names
def test_reports_keep_their_shape(name: str) -> None:
    """A name cannot add a line, a section or a row, and is cut where it is too long."""
    analysis = hostile_shop(name)
    text = REPORTERS[0].render(analysis, _context(name, Style(80)))
    sections = [line for line in text.splitlines() if line.startswith(("DATA", "FINDINGS", "WORK"))]
    assert [line.split()[0] for line in sections] == ["DATA", "FINDINGS", "WORKFLOWS"]
    assert len(text) < 12_000
    table = _table(analysis, name, Style(80)).splitlines()
    assert len(table) == 3
    assert all(cell_len(line) <= 80 for line in table)


@names
def test_machines_read_back_the_true_name(name: str) -> None:
    analysis = hostile_shop(name)
    report = json.loads(REPORTERS[1].render(analysis, _context(name, Style())))
    assert report["findings"][0]["service"] == name
    assert report["input"]["sources"] == [name]
    rows = [json.loads(line) for line in instances.json_lines(analysis.instances)]
    assert {row["instance"] for row in rows} == {name + "a", name + "b"}
    assert all(row["keys"] == [f"{name}={name}"] for row in rows)


@names
def test_csv_is_rectangular_and_inert(name: str) -> None:
    text = "".join(instances.csv_lines(hostile_shop(name).instances))
    rows = list(csv.reader(io.StringIO(text)))
    assert [len(row) for row in rows] == [len(instances.COLUMNS)] * 3
    assert not any(
        cell.lstrip()[:1] in ("=", "+", "-", "@") for row in rows for cell in row if cell
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_name_goes_through_every_output(name: str) -> None:
    analysis = hostile_shop(name)
    for _, output in OUTPUTS:
        assert raw_controls(_plain(output(analysis, name, STYLES[0]))) == []


def test_node_link_json_is_read_back_by_networkx() -> None:
    for name in HOSTILE.values():
        text = dict(GRAPH_FORMATS)["json"](service_graph(hostile_shop(name)))
        graph: Any = nx.node_link_graph(json.loads(text), edges="edges")
        assert any(data["name"] == name for _, data in graph.nodes(data=True))
