"""What the spans of an instance's steps say beside their times: attributes, errors, events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from analyzer.analysis import Instance
from analyzer.reporters.units import rfc3339

ATTRIBUTES_OF_A_STEP = 40
ATTRIBUTES = 50_000  # of all steps together
EVENTS = 5_000
VALUE = 500  # characters of a value; what was cut ends in an ellipsis
INNER_SPANS = 200_000  # more of them are not searched for events inside the steps
DEPTH = 64  # of a span inside its step

# Column of a span -> name of the attribute, as the semantic conventions call it.
NAMES = {
    "error_type": "error.type",
    "service_version": "service.version",
    "service_instance": "service.instance.id",
    "scope": "otel.scope.name",
    "system": "messaging.system",
    "destination": "messaging.destination.name",
    "message_id": "messaging.message.id",
    "conversation_id": "messaging.message.conversation_id",
    "consumer_group": "messaging.consumer.group.name",
    "partition": "messaging.destination.partition.id",
    "offset": "messaging.offset",
    "message_key": "messaging.message.key",
    "routing_key": "messaging.routing_key",
    "batch_count": "messaging.batch.message_count",
    "body_size": "messaging.message.body.size",
    "delivery_attempt": "messaging.delivery_attempt",
    "disposition": "messaging.disposition",
    "event_type": "cloudevents.event_type",
    "event_id": "cloudevents.event_id",
    "event_subject": "cloudevents.event_subject",
    "framework_instance": "framework.instance",
    "framework_workflow": "framework.workflow",
    "causal_id": "causal.id",
    "correlation_id": "correlation.id",
    "http_method": "http.request.method",
    "http_route": "http.route",
    "http_status": "http.response.status_code",
    "rpc_service": "rpc.service",
    "rpc_method": "rpc.method",
    "rpc_status": "rpc.status_code",
    "db_system": "db.system.name",
    "db_namespace": "db.namespace",
    "peer": "peer.service",
    "tracestate": "tracestate",
}


def errors(instance: Instance) -> dict[int, tuple[str | None, str | None]]:
    """(error type, error message) of the steps that have one of them, by step."""
    chosen = instance.analysis.recording.spans.select(
        pl.col("error_type").cast(pl.String), "error_message"
    )[instance.steps["span"]]
    frame = chosen.with_columns(instance.steps["step"]).filter(
        pl.col("error_type").is_not_null() | pl.col("error_message").is_not_null()
    )
    return {step: (kind, _cut(said)) for kind, said, step in frame.iter_rows()}


def attributes(instance: Instance) -> tuple[dict[int, dict[str, str]], int]:
    """Attributes by step, sorted by name, and how many were left out."""
    long = pl.concat([_columns(instance), _others(instance)]).unique(
        ["step", "key"], keep="first", maintain_order=True
    )
    long = long.sort("step", "key")
    kept = long.filter(pl.int_range(pl.len()).over("step") < ATTRIBUTES_OF_A_STEP).head(ATTRIBUTES)
    found: dict[int, dict[str, str]] = {}
    for step, key, value in kept.iter_rows():
        found.setdefault(step, {})[key] = _cut(value) or ""
    return found, long.height - kept.height


def _columns(instance: Instance) -> pl.DataFrame:
    spans = instance.analysis.recording.spans
    chosen = spans.select(pl.col(name).cast(pl.String).alias(NAMES[name]) for name in NAMES)
    wide = chosen[instance.steps["span"]].with_columns(instance.steps["step"])
    long = wide.unpivot(index="step", variable_name="key", value_name="value")
    return long.filter(pl.col("value").is_not_null())


def _others(instance: Instance) -> pl.DataFrame:
    steps = instance.steps.select("step", "span")
    found = instance.analysis.recording.attributes.join(steps, on="span", how="inner")
    return found.select("step", pl.col("key").cast(pl.String), "value").filter(
        pl.col("value").is_not_null()
    )


def events(instance: Instance) -> tuple[list[dict[str, Any]], int]:
    """Events of the steps and of the spans inside them, in order of time, and the number left out.

    `step` is the id of the step, `span_id` that of the span that has the event.
    """
    owner = _owners(instance)
    frame = instance.analysis.recording.events.join(owner, on="span", how="inner")
    frame = frame.with_columns(pl.col("name").cast(pl.String)).sort(
        "time_ns", "step", "span", "name", "attributes"
    )
    ids = instance.analysis.recording.spans["span_id"]
    shown = [
        {
            "step": row["step"],
            "span_id": f"{ids[row['span']]:016x}",
            "time": rfc3339(row["time_ns"]),
            "time_ns": row["time_ns"],
            "name": row["name"],
            "attributes": dict(_event_attributes(row["attributes"])),
        }
        for row in frame.head(EVENTS).iter_rows(named=True)
    ]
    return shown, max(frame.height - EVENTS, 0)


def _event_attributes(text: str | None) -> Iterator[tuple[str, str]]:
    found = json.loads(text) if text else {}
    for key, value in sorted(found.items())[:ATTRIBUTES_OF_A_STEP]:
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield key, _cut(said) or ""


def _owners(instance: Instance) -> pl.DataFrame:
    """span -> step: the steps' own spans, and those below them that have events."""
    steps = instance.steps.select("step", "span").unique("span", keep="first", maintain_order=True)
    own = steps.select("span", "step")
    spans = instance.analysis.recording.spans
    with_events = instance.analysis.recording.events["span"].unique()
    traces = spans.select("trace_hi", "trace_lo")[steps["span"]].unique()
    inner = (
        spans.select("trace_hi", "trace_lo", "span_id", "parent_id")
        .with_row_index("span")
        .join(traces, on=["trace_hi", "trace_lo"], how="semi", nulls_equal=True)
    )
    if inner.height > INNER_SPANS:
        return own
    places = {row[1:4]: (row[0], row[4]) for row in inner.iter_rows()}
    step_of = dict(own.iter_rows())
    rows = inner.join(with_events.to_frame(), on="span", how="semi").sort("span")
    found = {
        row[0]: step
        for row in rows.iter_rows()
        if row[0] not in step_of and (step := _step_above(row, places, step_of)) is not None
    }
    more = pl.DataFrame({"span": list(found), "step": list(found.values())}, schema=own.schema)
    return pl.concat([own, more])


def _step_above(
    row: tuple[int, ...], places: dict[Any, tuple[int, int]], step_of: dict[int, int]
) -> int | None:
    _, high, low, _, parent = row
    for _ in range(DEPTH):
        span, above = places.get((high, low, parent), (-1, 0))
        if span in step_of or span < 0:
            return step_of.get(span)
        parent = above
    return None


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= VALUE else text[: VALUE - 1] + "…"
