"""Rows of a table that are no spans are rejected by their number; columns are checked by type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collectors import Recording, read, recording_from
from collectors.columnar import _table
from collectors.decoders import otlp_json
from collectors.schema import Quality
from tests.collectors.test_json_lines import request, span
from tests.collectors.traces import assert_same

ATTRIBUTES = [{"key": "order.id", "value": {"stringValue": "o-1"}}]
LINK = {"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "f" * 16}
EVENT = {"name": "thrown", "timeUnixNano": 5}


@pytest.fixture
def table() -> pa.Table:
    """Ten spans, each with an attribute, a link that has an attribute, and an event."""
    links, events = [{**LINK, "attributes": ATTRIBUTES}], [EVENT]
    spans = [span(n, attributes=ATTRIBUTES, links=links, events=events) for n in range(1, 11)]
    return _table(recording_from([otlp_json.decode([request(*spans)])]))


Reading = Callable[[pa.Table], Recording]


@pytest.fixture(params=["parquet", "ipc", "groups"])
def reading(tmp_path: Path, request: pytest.FixtureRequest) -> Reading:
    def read_table(table: pa.Table) -> Recording:
        path, some = tmp_path / "x", max(3, len(table) // 10)
        if request.param == "ipc":
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table, max_chunksize=some)
        else:
            rows = some if request.param == "groups" else 1000
            pq.write_table(table, path, row_group_size=rows)
        return read([path])

    return read_table


def changed(table: pa.Table, name: str, changes: dict[int, Any], kind: Any = None) -> pa.Table:
    """The table with other values in some rows (counted from 1) of a column."""
    values = table[name].to_pylist()
    for row, value in changes.items():
        values[row - 1] = value
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array(values, kind or table.schema.field(name).type))


@pytest.mark.parametrize(
    ("name", "value", "reason", "said"),
    [
        ("trace_hi", None, "bad-trace-id", "trace_hi is null"),
        ("trace_lo", None, "bad-trace-id", "trace_lo is null"),
        ("span_id", None, "bad-span-id", "span_id is null"),
        ("span_id", 0, "bad-span-id", "span_id is 0"),
        ("start_ns", None, "bad-time", "start_ns is null"),
        ("end_ns", None, "bad-time", "end_ns is null"),
        ("start_ns", -5, "bad-time", "start_ns lies before 1970"),
    ],
)
def test_a_bad_row_costs_itself_and_is_named(
    table: pa.Table, reading: Reading, name: str, value: Any, reason: str, said: str
) -> None:
    """What hangs on the other rows still hangs on them."""
    found = reading(changed(table, name, {2: value, 7: value}))
    assert found.spans["span_id"].to_list() == [1, 3, 4, 5, 6, 8, 9, 10]
    assert dict(found.intake.rejected) == {reason: 2}
    details = [problem.detail for problem in found.intake.problems]
    assert details == [f"row 2: {said}", f"row 7: {said}"]
    good = [span_id for span_id in range(1, 11) if span_id not in (2, 7)]
    assert_same(found, reading(table.take([number - 1 for number in good])))
    assert found.attributes["span"].to_list() == list(range(8))
    assert found.links["span"].to_list() == found.events["span"].to_list() == list(range(8))
    assert found.link_attributes["link"].to_list() == list(range(8))


def test_a_row_with_several_faults_counts_once(table: pa.Table, reading: Reading) -> None:
    broken = changed(changed(table, "span_id", {4: None}), "start_ns", {4: None})
    assert dict(reading(broken).intake.rejected) == {"bad-span-id": 1}


def test_an_all_zero_trace_id(table: pa.Table, reading: Reading) -> None:
    broken = changed(changed(table, "trace_hi", {4: 0}), "trace_lo", {4: 0})
    found = reading(broken)
    assert (found.intake.spans, dict(found.intake.rejected)) == (9, {"bad-trace-id": 1})


def test_numbers_beyond_the_column_are_never_cut(table: pa.Table, reading: Reading) -> None:
    found = reading(changed(table, "kind", {3: 70_000}, pa.int64()))
    assert dict(found.intake.rejected) == {"bad-integer": 1}
    assert found.intake.problems[0].detail == "row 3: kind does not fit UInt8"


@pytest.mark.parametrize("name", ["trace_hi", "span_id"])
def test_negative_ids_are_refused(table: pa.Table, reading: Reading, name: str) -> None:
    small = changed(table, name, dict.fromkeys(range(1, 11), 5), pa.int64())
    found = reading(changed(small, name, {5: -1}))
    assert sum(found.intake.rejected.values()) == 1
    assert found.intake.problems[0].detail == f"row 5: {name} does not fit UInt64"


def test_times_beyond_int64_are_clamped_and_flagged(table: pa.Table, reading: Reading) -> None:
    found = reading(changed(table, "end_ns", {1: 2**63 + 5}, pa.uint64()))
    row = found.spans.filter(pl.col("span_id") == 1).row(0, named=True)
    assert (row["end_ns"], Quality(row["quality"])) == (2**63 - 1, Quality.CLAMPED_TIME)
    assert not found.intake.damaged


def test_oddities_are_flagged_as_by_the_other_decoders(table: pa.Table, reading: Reading) -> None:
    odd = changed(table, "end_ns", {1: 5})
    odd = changed(odd, "parent_id", {2: 2})
    odd = changed(odd, "name", {3: None})
    odd = changed(changed(odd, "start_ns", {4: 0}), "end_ns", {4: 0})
    odd = changed(odd, "service", {5: None})
    odd = changed(odd, "kind", {6: 77})
    found = reading(odd).spans.sort("span_id")
    flags = [Quality(number) for number in found["quality"].to_list()[:5]]
    assert flags == [
        Quality.NEGATIVE_DURATION,
        Quality.SELF_PARENT,
        Quality.EMPTY_NAME,
        Quality.ZERO_TIME,
        Quality(0),
    ]
    assert found["end_ns"][0] == 1000
    assert found["parent_id"][1] == 0
    assert found["name"][2] == "<unnamed>"
    assert found["service"][4] == "unknown_service"
    assert found["kind"][5] == 0


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("start_ns", pa.array(["x"] * 10), "column start_ns is string, it must be int64"),
        ("span_id", pa.array([1.5] * 10), "column span_id is double, it must be uint64"),
        ("name", pa.array([5] * 10), "column name is int64, it must be string"),
        ("trace_hi", pa.array([b"x"] * 10), "column trace_hi is binary, it must be uint64"),
        ("links", pa.array([5] * 10), "column links is int64, it must be a list of structs"),
        ("attributes", pa.array(["x"] * 10), "it must be a list of structs"),
        (
            "events",
            pa.array([[{"name": "a", "time_ns": "x"}]] * 10),
            "column events.time_ns is string, it must be int64",
        ),
        ("start_ns", pa.array([{"x": 1}] * 10), "column start_ns is struct"),
    ],
)
def test_a_column_of_another_type_is_named(
    table: pa.Table, reading: Reading, name: str, values: pa.Array, said: str
) -> None:
    broken = table.set_column(table.column_names.index(name), name, values)
    found = reading(broken)
    (problem,) = found.intake.problems
    assert said in problem.detail
    assert found.intake.damaged


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("span_id", "spanId", "no column span_id; nearest: spanId for span_id; there are "),
        ("start_ns", "StartTimeUnixNano", "nearest: StartTimeUnixNano for start_ns"),
        ("start_ns", "start_n", "nearest: start_n for start_ns"),
        ("trace_hi", "something", "no column trace_hi; there are "),
    ],
)
def test_a_missing_column_names_the_nearest(
    table: pa.Table, reading: Reading, name: str, other: str, said: str
) -> None:
    names = [other if column == name else column for column in table.column_names]
    found = reading(table.rename_columns(names))
    (problem,) = found.intake.problems
    assert said in problem.detail


def test_only_what_a_span_needs_has_to_be_there(table: pa.Table, reading: Reading) -> None:
    found = reading(table.select(["trace_hi", "trace_lo", "span_id", "start_ns"]))
    assert (found.intake.spans, found.intake.damaged) == (10, False)
    assert found.spans["end_ns"].to_list() == found.spans["start_ns"].to_list()
    expected = Quality.NO_END | Quality.EMPTY_NAME
    assert {Quality(number) for number in found.spans["quality"]} == {expected}


def test_extra_columns_are_ignored_and_named(table: pa.Table, reading: Reading) -> None:
    """Whatever they hold: they are not even unpacked."""
    odd = table.append_column("mine", pa.array([{"a": 1}] * 10))
    found = reading(odd.append_column("yours", pa.array([b"\xff"] * 10)))
    assert found.intake.spans == 10
    assert not found.intake.damaged
    assert "ignored the columns mine, yours" in found.intake.warnings[0]


def test_unusable_links_are_left_out(table: pa.Table, reading: Reading) -> None:
    links = table["links"].to_pylist()
    links[1][0]["span_id"] = None
    links[3][0]["trace_hi"], links[3][0]["trace_lo"] = 0, 0
    links[4] = []
    links[5] = None
    place = table.column_names.index("links")
    odd = table.set_column(place, "links", pa.array(links, table.schema.field("links").type))
    found = reading(odd)
    assert (found.intake.spans, found.intake.damaged) == (10, False)
    assert found.links["span"].to_list() == [0, 2, 6, 7, 8, 9]
    assert found.link_attributes["link"].to_list() == [0, 1, 2, 3, 4, 5]
    assert found.intake.warnings == ("links with unusable ids were left out",)


def test_nulls_inside_of_what_hangs_on_a_span(table: pa.Table, reading: Reading) -> None:
    odd = changed(table, "attributes", {1: [{"key": None, "value": None}], 2: [None], 3: None})
    odd = changed(odd, "events", {1: [{"time_ns": None, "name": None, "attributes": None}]})
    found = reading(odd)
    assert found.intake.spans == 10
    assert found.attributes["key"].null_count() == found.attributes["value"].null_count() == 0
    assert found.events.row(0, named=True) == {
        "span": 0,
        "time_ns": 0,
        "name": "<unnamed>",
        "attributes": "",
    }


def test_thousands_of_bad_rows_are_counted_and_the_first_told(
    table: pa.Table, reading: Reading
) -> None:
    many = pa.concat_tables([table] * 50)
    found = reading(changed(many, "span_id", dict.fromkeys(range(1, 501), None)))
    assert (found.intake.spans, dict(found.intake.rejected)) == (0, {"bad-span-id": 500})
    assert len(found.intake.problems) == 100


def test_two_columns_of_one_name(tmp_path: Path, table: pa.Table) -> None:
    twice = table.append_column("span_id", table["span_id"])
    with pa.ipc.new_file(str(tmp_path / "x"), twice.schema) as writer:
        writer.write_table(twice)
    (problem,) = read([tmp_path / "x"]).intake.problems
    assert "the columns span_id come twice" in problem.detail


def test_a_table_without_rows(table: pa.Table, reading: Reading) -> None:
    found = reading(table.slice(0, 0))
    assert (found.intake.spans, found.intake.damaged) == (0, False)
