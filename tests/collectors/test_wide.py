"""More distinct keys and words than any emitter has: nothing wraps, nothing takes for ever."""

from __future__ import annotations

from collectors import recording_from
from collectors.decoders import otlp_json
from tests.collectors.test_json_lines import request, span

KEYS = 70_000  # beyond 16 bits


def test_more_messaging_keys_than_16_bits_can_number() -> None:
    """Each span still knows that it is about a message, and only those that are do."""
    spans = []
    for number in range(1, 141):
        keys = [f"messaging.k{number}.{n}" for n in range(KEYS // 140)]
        pairs = [{"key": key, "value": {"stringValue": "v"}} for key in keys]
        spans.append(span(number, kind=5, name="work", attributes=pairs))
    spans.append(span(999, kind=2, name="other"))
    found = recording_from([otlp_json.decode([request(*spans)])])
    assert found.attributes["key"].n_unique() == KEYS
    assert found.spans.filter(found.spans["span_id"] == 999)["operation"].to_list() == [None]
    assert found.spans.filter(found.spans["span_id"] < 999)["operation"].unique().to_list() == [
        "process"
    ]


def test_every_span_with_a_name_and_words_of_its_own() -> None:
    pairs = [
        [{"key": "messaging.system", "value": {"stringValue": f"s{n}"}}] for n in range(70_000)
    ]
    spans = [span(n + 1, name=f"op {n}", attributes=pairs[n]) for n in range(70_000)]
    found = recording_from([otlp_json.decode([request(*spans)])]).spans.sort("span_id")
    assert found["name"].to_list() == [f"op {n}" for n in range(70_000)]
    assert found["system"].to_list() == [f"s{n}" for n in range(70_000)]
