"""OTLP inside of the replies of Tempo, Grafana and Jaeger v3 is read as if it stood alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from collectors import Recording, read
from tests.collectors.test_json_lines import SPAN, request, span
from tests.collectors.traces import assert_same

LINK = {"traceId": "0a" * 16, "spanId": "0b" * 8}
SPANS = [
    span(1, kind="SPAN_KIND_CONSUMER", links=[LINK]),
    span(2, parentSpanId=f"{1:016x}", startTimeUnixNano=1710846323303000000),
]
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
PLAIN = json.loads(request(*SPANS, resource=RESOURCE))["resourceSpans"]


def in_base64(value: Any) -> Any:
    """Ids as protobuf's own JSON mapping writes them: Tempo and Jaeger do."""
    if isinstance(value, list):
        return [in_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {
        name: base64.b64encode(bytes.fromhex(item)).decode() if name in ids else in_base64(item)
        for name, item in value.items()
    }


def older(groups: Any) -> Any:
    """With the member that Tempo and Grafana wrote before 2.0."""
    text = json.dumps(groups).replace('"scopeSpans"', '"instrumentationLibrarySpans"')
    return json.loads(text)


@pytest.fixture
def reading(tmp_path: Path) -> Any:
    def read_text(text: str) -> Recording:
        (tmp_path / "x.json").write_text(text)
        return read([tmp_path / "x.json"])

    return read_text


ENVELOPES = {
    "grafana": {"batches": older(PLAIN)},
    "tempo": {"batches": in_base64(PLAIN)},
    "tempo-old": {"batches": in_base64(older(PLAIN))},
    "tempo-v2": {"trace": {"resourceSpans": in_base64(PLAIN)}, "metrics": {}},
    "tempo-v2-hex": {"trace": {"resourceSpans": PLAIN}},
    "jaeger-v3": {"result": {"resourceSpans": PLAIN}},
    "jaeger-v3-base64": {"result": {"resourceSpans": in_base64(PLAIN)}},
}


@pytest.mark.parametrize("name", ENVELOPES)
@pytest.mark.parametrize("indent", [None, 2])
def test_it_is_the_same_recording(reading: Any, name: str, indent: int | None) -> None:
    expected = reading(json.dumps({"resourceSpans": PLAIN}))
    found = reading(json.dumps(ENVELOPES[name], indent=indent))
    assert_same(found, expected)
    assert (found.intake.damaged, found.intake.formats) == (False, ("otlp-json",))
    assert found.spans["span_id"].to_list() == [1, 2]
    assert found.spans["service"].to_list() == ["shop"] * 2
    assert found.links["span_id"].to_list() == [int("0b" * 8, 16)]


def test_several_replies_on_end(reading: Any) -> None:
    """Jaeger streams its results; a shell appends."""
    reply = json.dumps(ENVELOPES["jaeger-v3"])
    other = reply.replace(str(SPAN["traceId"]), "0c" * 16)
    assert reading(reply + "\n" + other).intake.spans == 4
    assert reading(json.dumps(ENVELOPES["tempo"], indent=1) + "\n" + other).intake.spans == 4


def test_what_is_wrong_in_it_has_a_path(reading: Any) -> None:
    bad = json.loads(json.dumps(ENVELOPES["tempo-v2"]))
    bad["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["traceId"] = "L5zhVh"
    (problem,) = reading(json.dumps(bad)).intake.problems
    assert problem.detail == (
        'trace.resourceSpans[0].scopeSpans[0].spans[1].traceId: "L5zhVh" is not 32 hex digits'
    )


def test_base64_outside_of_an_envelope_stays_an_error(reading: Any) -> None:
    """OTLP says hex; an id that is both would be another one."""
    found = reading(json.dumps({"resourceSpans": in_base64(PLAIN)}))
    assert dict(found.intake.rejected) == {"bad-trace-id": 2}


@pytest.mark.parametrize(
    "document", [{"batches": []}, {"trace": {"resourceSpans": []}}, {"result": {}}]
)
def test_an_empty_reply_is_no_crash(reading: Any, document: Any) -> None:
    assert reading(json.dumps(document)).intake.spans == 0


@pytest.mark.parametrize("document", [{"batches": [1, 2]}, {"batches": {"a": 1}}])
def test_batches_of_something_else_are_foreign(reading: Any, document: Any) -> None:
    assert dict(reading(json.dumps(document)).intake.rejected) == {"unknown-format": 1}


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_download_that_was_cut_keeps_its_whole_parts(reading: Any, name: str) -> None:
    (outer, inner), *_ = ENVELOPES[name].items()
    groups = inner["resourceSpans"] if isinstance(inner, dict) else inner
    doubled: Any = {"resourceSpans": groups * 2} if isinstance(inner, dict) else groups * 2
    text = json.dumps({outer: doubled}, indent=2)
    found = reading(text[: text.rindex('"name"')])
    assert found.intake.spans == 2
    assert dict(found.intake.rejected) == {"invalid-json": 1}
    assert found.intake.problems[0].line == text[: text.rindex('"name"')].rstrip().count("\n") + 1
