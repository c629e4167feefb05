"""OTLP JSON lines as they really are: odd types, bad ids, damaged lines."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from collectors import Recording, read
from collectors.schema import Quality

SPAN = {
    "traceId": "0102030405060708090a0b0c0d0e0f10",
    "spanId": "1112131415161718",
    "name": "charge",
    "kind": 2,
    "startTimeUnixNano": "1000",
    "endTimeUnixNano": "2000",
}


def request(*spans: dict[str, Any], resource: Any = None) -> bytes:
    group = {"resource": resource or {}, "scopeSpans": [{"spans": list(spans)}]}
    return json.dumps({"resourceSpans": [group]}, separators=(",", ":")).encode()


def span(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {**SPAN, "spanId": f"{number:016x}", **fields}


@pytest.fixture
def reading(tmp_path: Path) -> Any:
    def read_bytes(data: bytes, name: str = "x.jsonl") -> Recording:
        path = tmp_path / name
        path.write_bytes(data)
        return read([path])

    return read_bytes


def quality(recording: Recording) -> Quality:
    return Quality(recording.spans["quality"][0])


def test_metrics_and_logs_are_skipped_and_counted(reading: Any) -> None:
    lines = [b'{"resourceMetrics":[]}', request(span()), b'{"resourceLogs":[{}]}', b"{}", b""]
    found = reading(b"\n".join(lines))
    assert dict(found.intake.skipped) == {"logs": 1, "metrics": 1}
    assert found.intake.spans == 1
    assert not found.intake.damaged


@pytest.mark.parametrize(
    "prefix", [b"", b"\xef\xbb\xbf", b"\0\0\0\0", b"\r\n\r\n"], ids=["plain", "bom", "nul", "blank"]
)
def test_leading_rubbish_costs_nothing(reading: Any, prefix: bytes) -> None:
    found = reading(prefix + request(span(1)) + b"\r\n" + request(span(2)) + b"\r\n")
    assert (found.intake.spans, dict(found.intake.rejected)) == (2, {})


def test_a_half_written_last_line_costs_itself_and_is_named(reading: Any) -> None:
    whole = request(span(3))
    found = reading(b"\n".join([request(span(1)), request(span(2)), whole[: len(whole) // 2]]))
    assert found.intake.spans == 2
    assert dict(found.intake.rejected) == {"invalid-json": 1}
    assert [problem.line for problem in found.intake.problems] == [3]
    assert found.intake.damaged


def test_a_bad_line_in_the_middle_costs_itself(reading: Any) -> None:
    found = reading(b"\n".join([request(span(1)), b"{oops", request(span(2))]))
    assert found.intake.spans == 2
    assert [(p.line, p.reason) for p in found.intake.problems] == [(2, "invalid-json")]


def test_pretty_document(reading: Any) -> None:
    pretty = json.dumps(json.loads(request(span(1), span(2))), indent=2).encode()
    assert reading(pretty).intake.spans == 2
    assert reading(pretty + b"\n" + pretty.replace(b"0102", b"0304")).intake.spans == 4


def test_a_broken_pretty_document_keeps_its_whole_requests(reading: Any) -> None:
    document = json.loads(request(span(1))) | {}
    document["resourceSpans"] *= 1
    document["resourceSpans"].append(json.loads(request(span(2)))["resourceSpans"][0])
    pretty = json.dumps(document, indent=1)
    found = reading(pretty[: pretty.rindex('"kind"')].encode())
    assert found.intake.spans == 1
    assert dict(found.intake.rejected) == {"invalid-json": 1}
    assert found.intake.problems[0].line > 5


def test_array_of_requests(reading: Any) -> None:
    assert reading(b"[" + request(span(1)) + b"," + request(span(2)) + b"]").intake.spans == 2


def test_snake_case_and_enum_names(reading: Any) -> None:
    text = (
        b'{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"%s","span_id":"%s",'
        b'"kind":"SPAN_KIND_PRODUCER","start_time_unix_nano":5,"end_time_unix_nano":"9",'
        b'"status":{"code":"STATUS_CODE_ERROR"},'
        b'"attributes":[{"key":"messaging.system","value":{"string_value":"kafka"}}]}]}]}]}'
    ) % (SPAN["traceId"].encode(), SPAN["spanId"].encode())
    row = reading(text).spans.row(0, named=True)
    assert (row["kind"], row["status"], row["system"], row["end_ns"]) == (4, 2, "kafka", 9)


def test_older_library_spans(reading: Any) -> None:
    text = request(span()).replace(b"scopeSpans", b"instrumentationLibrarySpans")
    assert reading(text).intake.spans == 1


def test_camel_request_with_snake_members(reading: Any) -> None:
    assert reading(request(span()).replace(b"scopeSpans", b"scope_spans")).intake.spans == 1


def test_hex_ids_in_either_case(reading: Any) -> None:
    upper = span(1, traceId=SPAN["traceId"].upper(), spanId="ABCDEF0123456789")
    assert reading(request(upper)).spans["span_id"][0] == 0xABCDEF0123456789


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("traceId", "0" * 32, "bad-trace-id"),
        ("traceId", "xyz", "bad-trace-id"),
        ("traceId", "AQIDBAUGBwgJCgsMDQ4PEA==", "bad-trace-id"),
        ("traceId", SPAN["traceId"][:-1], "bad-trace-id"),
        ("traceId", None, "bad-trace-id"),
        ("spanId", "0" * 16, "bad-span-id"),
        ("spanId", "11 12131415161718", "bad-span-id"),
        ("spanId", "1112131415161 18", "bad-span-id"),
        ("spanId", "١١١٢١٣١٤١٥١٦١٧١٨", "bad-span-id"),
        ("spanId", 7, "bad-span-id"),
        ("parentSpanId", "12", "bad-parent-id"),
        ("startTimeUnixNano", "99999999999999999999", "bad-time"),
        ("startTimeUnixNano", 18446744073709551616, "bad-time"),
        ("startTimeUnixNano", -5, "bad-time"),
        ("startTimeUnixNano", 1.5, "bad-time"),
        ("startTimeUnixNano", "soon", "bad-time"),
    ],
)
def test_a_bad_span_costs_itself_only(reading: Any, field: str, value: Any, reason: str) -> None:
    """Counted by reason, its line told; its neighbours in the request stay."""
    bad = span(2, **{field: value})
    found = reading(b"\n" + request(span(1), bad, span(3)))
    assert found.spans["span_id"].to_list() == [1, 3]
    assert dict(found.intake.rejected) == {reason: 1}
    assert [(p.line, p.reason) for p in found.intake.problems] == [(2, reason)]


def test_integer_attribute_beyond_64_bits_is_rejected_not_rounded(reading: Any) -> None:
    huge = [{"key": "n", "value": {"intValue": "9223372036854775808"}}]
    edge = [{"key": "n", "value": {"intValue": "9223372036854775807"}}]
    found = reading(request(span(1, attributes=huge), span(2, attributes=edge)))
    assert dict(found.intake.rejected) == {"bad-integer": 1}
    assert found.attributes["value"].to_list() == ["9223372036854775807"]


def test_numbers_as_numbers_or_strings(reading: Any) -> None:
    one = span(1, startTimeUnixNano=1000, endTimeUnixNano=2000)
    assert reading(request(one)).spans.row(0)[4:6] == (1000, 2000)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"NaN"', "NaN"),
        ('"Infinity"', "Infinity"),
        ("NaN", "NaN"),
        ("1e400", None),
        ("1.50", "1.5"),
    ],
)
def test_doubles(reading: Any, text: str, shown: str | None) -> None:
    line = request(span(1, attributes=[{"key": "d", "value": {"doubleValue": 0}}]))
    found = reading(line.replace(b'"doubleValue":0', b'"doubleValue":' + text.encode()))
    values = found.attributes["value"].to_list()
    assert values == [shown] if shown else values in ([], ["Infinity"])


def test_null_lists_are_absent(reading: Any) -> None:
    found = reading(request(span(1, attributes=None, links=None, events=None, status=None)))
    assert (found.intake.spans, len(found.attributes)) == (1, 0)


def test_duplicate_keys_last_wins_and_is_flagged(reading: Any) -> None:
    pairs = [{"key": "k", "value": {"stringValue": text}} for text in ("old", "new")]
    found = reading(request(span(1, attributes=pairs)))
    assert found.attributes["value"].to_list() == ["new"]
    assert quality(found) == Quality.DUPLICATE_KEYS


def test_invalid_utf8_is_replaced_and_flagged(reading: Any) -> None:
    line = request(span(1, name="caf\u00e9"), span(2))
    bad = line.replace(json.dumps("caf\u00e9")[1:-1].encode(), b"caf\xe9")
    found = reading(bad + b"\n" + request(span(3)))
    assert found.spans["name"].to_list() == ["caf\ufffd", "charge", "charge"]
    assert found.spans["quality"].to_list() == [Quality.INVALID_UTF8, 0, 0]
    assert found.intake.warnings


def test_escapes_and_lone_surrogates(reading: Any) -> None:
    pairs = [{"key": 'a"\\', "value": {"stringValue": 'x"}}]\\u0041\n\t{"key":"é'}}]
    found = reading(request(span(1, attributes=pairs)))
    assert found.attributes.row(0) == (0, 'a"\\', 'x"}}]\\u0041\n\t{"key":"é')
    lone = reading(request(span(1)).replace(b"charge", b"\\ud800!"))
    assert lone.intake.spans == 1
    assert "\ufffd" in lone.spans["name"][0]


@pytest.mark.parametrize("width", [1, 2, 7, 11, 12, 13, 14, 40])
def test_every_length_of_key_and_value(reading: Any, width: int) -> None:
    pairs = [{"key": "k" * width + str(n), "value": {"stringValue": "v" * n}} for n in range(width)]
    found = reading(request(span(1, attributes=pairs)))
    keys = {pair["key"]: pair["value"]["stringValue"] for pair in pairs}
    assert dict(found.attributes.select("key", "value").iter_rows()) == keys


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 200_000,
        b'{"resourceSpans":' + b"[" * 200_000,
        b'{"resourceSpans":[{"resource":{"x":' + b'{"a":' * 100_000,
    ],
)
def test_deep_nesting_is_refused_fast(reading: Any, text: bytes) -> None:
    began = time.process_time()
    found = reading(text + b"\n" + request(span(1)))
    assert time.process_time() - began < 5
    assert sum(found.intake.rejected.values()) == 1
    assert found.intake.spans == 1


def test_deep_attribute_value_is_cut(reading: Any) -> None:
    value: dict[str, Any] = {"stringValue": "end"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    found = reading(request(span(1, attributes=[{"key": "deep", "value": value}])))
    assert found.intake.spans == 1
    assert "..." in found.attributes["value"][0]


def test_many_attributes_and_long_values_are_capped(reading: Any) -> None:
    many = [{"key": f"k{n}", "value": {"intValue": "1"}} for n in range(5000)]
    long = [{"key": "long", "value": {"stringValue": "y" * 3_000_000}}]
    found = reading(request(span(1, attributes=many), span(2, attributes=long)))
    assert found.spans["quality"].to_list() == [Quality.TRUNCATED] * 2
    assert len(found.attributes) < 2000
    assert found.attributes["value"].str.len_bytes().max() <= 32_768  # type: ignore[operator]


@pytest.mark.parametrize(
    ("fields", "flag", "times"),
    [
        ({"startTimeUnixNano": 0, "endTimeUnixNano": 0}, Quality.ZERO_TIME, (0, 0)),
        ({"endTimeUnixNano": "5"}, Quality.NEGATIVE_DURATION, (1000, 1000)),
        (
            {"endTimeUnixNano": str(2**63 + 5)},
            Quality.CLAMPED_TIME,
            (1000, 2**63 - 1),
        ),
        ({"parentSpanId": "0000000000000001"}, Quality.SELF_PARENT, (1000, 2000)),
        ({"name": ""}, Quality.EMPTY_NAME, (1000, 2000)),
    ],
)
def test_span_semantics(
    reading: Any, fields: dict[str, Any], flag: Quality, times: tuple[int, int]
) -> None:
    """What is wrong with a span is flagged; the span is kept."""
    found = reading(request(span(1, **fields)))
    row = found.spans.row(0, named=True)
    assert quality(found) == flag
    assert (row["start_ns"], row["end_ns"], row["parent_id"]) == (*times, 0)
    assert row["name"]


def test_bad_links_cost_no_span(reading: Any) -> None:
    links = [{"traceId": "xx", "spanId": "1"}, {"traceId": SPAN["traceId"], "spanId": "f" * 16}]
    found = reading(request(span(1, links=links)))
    assert (found.intake.spans, len(found.links), dict(found.intake.rejected)) == (1, 1, {})
    assert found.intake.problems[0].reason == "bad-link"


def test_same_id_with_other_content_has_one_winner_in_any_order(reading: Any) -> None:
    """The one that ends last wins, flagged and counted, however they arrive."""
    early, late = request(span(1)), request(span(1, endTimeUnixNano="9000", name="later"))
    for lines in ([early, late], [late, early], [early, late, early]):
        found = reading(b"\n".join(lines))
        assert found.spans["name"].to_list() == ["later"]
        assert quality(found) == Quality.CONFLICTING_DUPLICATE
        assert found.intake.conflicts == 1
        assert found.intake.duplicates == len(lines) - 2


def test_exact_copies_count_once(reading: Any) -> None:
    found = reading(b"\n".join([request(span(1), span(2))] * 3))
    assert (found.intake.spans, found.intake.duplicates, found.intake.conflicts) == (2, 4, 0)
    assert found.spans["quality"].to_list() == [0, 0]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"{}", b"[]", b'{"resourceSpans":[]}'])
def test_empty_input_is_no_error(reading: Any, data: bytes) -> None:
    found = reading(data)
    assert (found.intake.spans, found.intake.damaged) == (0, False)


def test_unknown_documents_among_traces_are_named(reading: Any) -> None:
    found = reading(request(span(1)) + b'\n{"hello":1}\n5\n')
    assert dict(found.intake.rejected) == {"unknown-shape": 2}
    assert "hello" in found.intake.problems[0].detail
    assert [problem.line for problem in found.intake.problems] == [2, 3]
