"""The fields a filter may name, and what kind of value each one takes."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

Type = Literal["word", "words", "trace", "key", "count", "duration", "time"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its names, its type, and the columns of `INSTANCES` it reads."""

    names: tuple[str, ...]
    type: Type
    columns: tuple[str, ...]
    help: str


FIELDS: tuple[Field, ...] = (
    Field(("state",), "word", ("state",), "stuck, late, failed, complete, ..."),
    Field(("workflow", "wf"), "word", ("workflow",), "name of the workflow"),
    Field(("instance", "id"), "word", ("id",), "id of the instance"),
    Field(("cause",), "word", ("cause",), "likeliest cause"),
    Field(
        ("waiting",),
        "word",
        ("waiting_service", "waiting_step", "waiting_destination"),
        "service, step or destination it waits for",
    ),
    Field(("service",), "words", ("services",), "a service that took part"),
    Field(("trace",), "trace", ("trace_ids",), "trace id, or its beginning"),
    Field(("key",), "key", ("keys",), "business key: name, value or name=value"),
    Field(("age",), "duration", ("start_ns",), "time since the first step"),
    Field(("overdue",), "duration", ("deadline_ns",), "time since the deadline passed"),
    Field(("duration",), "duration", ("start_ns", "end_ns"), "first to last step"),
    Field(("steps",), "count", ("steps",), "number of steps"),
    Field(("spans",), "count", ("spans",), "number of spans"),
    Field(("errors",), "count", ("errors",), "number of steps with an error"),
    Field(("start",), "time", ("start_ns",), "time of the first step"),
    Field(("end",), "time", ("end_ns",), "time of the last step"),
)

BY_NAME: dict[str, Field] = {name: field for field in FIELDS for name in field.names}

# What bare text looks into.
TEXT_COLUMNS = (
    "id",
    "workflow",
    "state",
    "cause",
    "waiting_service",
    "waiting_step",
    "waiting_destination",
)
TEXT_LISTS = ("services", "keys", "trace_ids")


def nearest(name: str, among: list[str]) -> str:
    """The name most like `name`; "" where none comes near."""
    close = difflib.get_close_matches(name.lower(), among, n=1, cutoff=0.5)
    return close[0] if close else ""
