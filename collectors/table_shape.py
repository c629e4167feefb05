"""Checks that a table has the columns of spans, each of a type that can be read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa

from collectors import schema

REQUIRED = ("trace_hi", "trace_lo", "span_id", "start_ns")
NESTED: Mapping[str, Mapping[str, pl.DataType]] = {
    "links": schema.LINKS,
    "events": schema.EVENTS,
    "attributes": schema.ATTRIBUTES,
}
SHOWN = 6  # columns that a message names
# What others call the same thing, without case and underscores.
_ALIASES = {
    "trace_hi": ("traceid", "traceidhigh", "traceidhi"),
    "trace_lo": ("traceid", "traceidlow", "traceidlo"),
    "span_id": ("spanid", "id"),
    "start_ns": ("starttimeunixnano", "timestamp", "starttime", "start", "starttimens", "time"),
}


class Malformed(ValueError):
    """The file is damaged or is none of ours; the message says what was missing."""


class OtherTable(Malformed):
    """A table of something else: it has none of the columns that a span needs."""


def check_columns(shape: pa.Schema) -> None:
    """Raises Malformed where columns are missing, come twice or have a type of another kind."""
    names = list(shape.names)
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        kind = OtherTable if len(missing) == len(REQUIRED) else Malformed
        raise kind(_missing(missing, names))
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise Malformed(f"the columns {listed(twice)} come twice")
    wrong = [
        _fault(field, schema.SPANS[field.name]) for field in shape if field.name in schema.SPANS
    ]
    wrong += [_list_fault(field, NESTED[field.name]) for field in shape if field.name in NESTED]
    problems = [problem for problem in wrong if problem]
    if problems:
        raise Malformed("; ".join(problems))


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _missing(missing: Sequence[str], names: Sequence[str]) -> str:
    near = [(name, _nearest(name, names)) for name in missing]
    hints = [f"{found} for {name}" for name, found in near if found]
    meant = f"; nearest: {', '.join(hints)}" if hints else ""
    there = listed(names) or "none"
    return f"no column {', '.join(missing)}{meant}; there are {there}"


def _nearest(wanted: str, names: Sequence[str]) -> str | None:
    """A column that is called alike, or as others call it."""
    free = [name for name in names if name not in schema.SPANS]
    bare = {name.lower().replace("_", "").replace(".", ""): name for name in free}
    for alias in _ALIASES[wanted]:
        if alias in bare:
            return bare[alias]
    close = difflib.get_close_matches(wanted.replace("_", ""), bare, n=1, cutoff=0.7)
    return bare[close[0]] if close else None


def _fault(field: pa.Field, wanted: pl.DataType, path: str = "") -> str:
    """What is wrong with the type of a column, "" where it can be read."""
    found = field.type
    if pa.types.is_null(found):
        return ""
    if wanted.is_integer():
        good = pa.types.is_integer(found)
    elif wanted == pl.Boolean():
        good = pa.types.is_boolean(found)
    else:
        value = found.value_type if pa.types.is_dictionary(found) else found
        good = _is_text(value)
        wanted = pl.String()
    return "" if good else f"column {path}{field.name} is {found}, it must be {_arrow(wanted)}"


def _is_text(found: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(kind(found) for kind in kinds)


def _arrow(wanted: pl.DataType) -> str:
    return str(wanted).lower()


def _list_fault(field: pa.Field, shape: Mapping[str, pl.DataType], path: str = "") -> str:
    found = field.type
    if pa.types.is_null(found):
        return ""
    lists = pa.types.is_list(found) or pa.types.is_large_list(found)
    if not lists or not pa.types.is_struct(found.value_type):
        return f"column {path}{field.name} is {found}, it must be a list of structs"
    here = f"{path}{field.name}."
    faults = [
        _fault(inner, shape[inner.name], here) for inner in found.value_type if inner.name in shape
    ]
    faults += [
        _list_fault(inner, schema.LINK_ATTRIBUTES, here)
        for inner in found.value_type
        if inner.name == "attributes" and "attributes" not in shape
    ]
    return "; ".join(fault for fault in faults if fault)
