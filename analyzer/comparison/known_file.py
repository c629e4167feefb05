"""The baseline file: YAML that people edit and `--update-baseline` writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from io import StringIO
from typing import Any

from analyzer.comparison.known import Entry
from analyzer.conformance.grammar import INVALID, At, Faults, Many, Record, Shape, Text
from analyzer.conformance.yaml_text import DeclarationError, load
from analyzer.escape import visible

HEAD = """\
# Findings that are known: they are told, and fail no gate.
# An entry names one place by its fingerprint, or several by kind, workflow, service, step and
# cause (* and ? are wildcards). Every entry needs a reason; owner and expires are for people.
# `choreoscope analyze ... --baseline FILE --update-baseline` keeps what still holds.
"""
PATTERNS = ("kind", "workflow", "service", "step", "cause")


class _Date:
    """A day, such as 2027-01-31."""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            return faults.add(at, f"must be a day such as 2027-01-31, is {str(value)[:40]!r}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class _Count:
    """A number of instances."""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return int(value)
        return faults.add(at, f"must be a whole number, is {str(value)[:40]!r}")

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 0}


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry: it has a reason, and says what it is about."""

    record: Record

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        found = self.record.read(value, at, faults)
        if found is INVALID:
            return INVALID
        if found.fingerprint is None and not any(getattr(found, name) for name in PATTERNS):
            keys = ", ".join(("fingerprint", *PATTERNS))
            return faults.add(at, f"says nothing about what is accepted: give one of {keys}")
        return found

    def schema(self) -> dict[str, Any]:
        return self.record.schema()


_FIELDS: dict[str, Shape] = {
    "fingerprint": Text("Of one place, as reports have it; it decides alone"),
    "kind": Text("Kind of finding"),
    "workflow": Text("Workflow"),
    "service": Text("Service that has to act"),
    "step": Text("The last step seen"),
    "cause": Text("The likeliest cause"),
    "reason": Text("Why it is accepted"),
    "owner": Text("Who looks after it"),
    "expires": _Date(),
    "instances": _Count(),
    "of": _Count(),
}
ENTRY = _Entry(
    Record("an entry", _FIELDS, lambda found, at: Entry(**found, line=at.line), needed=("reason",))
)
FILE = Record(
    "a baseline",
    {"known": Many(ENTRY, least=0)},
    lambda found, at: found["known"],
    needed=("known",),
)


def parse(text: str, source: str) -> tuple[Entry, ...]:
    """The entries. Raises `DeclarationError` with everything that is wrong, by line."""
    tree = load(text, source)
    faults = Faults()
    at = At(source, 1)
    if tree is None:
        faults.add(at, "the file is empty; --update-baseline writes one")
        found: Any = INVALID
    else:
        found = FILE.read(tree, at, faults)
    if faults.found or found is INVALID:
        raise DeclarationError(tuple(sorted(faults.found)))
    return tuple(found)


def write(entries: Iterable[Entry]) -> str:
    """The file's text: the same entries, the same bytes."""
    from ruamel.yaml import YAML

    rows = [
        {
            name: _plain(entry, value)
            for name in _FIELDS
            if (value := getattr(entry, name)) is not None
        }
        for entry in entries
    ]
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    yaml.dump({"known": rows}, stream)
    return HEAD + stream.getvalue()


def _plain(entry: Entry, value: object) -> object:
    """Beside a fingerprint names are for people, who must be able to print the file."""
    if isinstance(value, str) and entry.fingerprint is not None:
        return visible(value)
    return value
