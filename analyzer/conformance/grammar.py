"""Shapes that a YAML value may have: each one reads a value, and says itself as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

from analyzer.conformance.yaml_text import Fault, line_of

UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9,
         "w": 7 * 86_400 * 10**9}  # fmt: skip
DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
LONGEST_NS = 100 * 366 * UNITS["d"]
INVALID = object()  # what a shape returns for a value that it complained of

# What people write for a key that has another name here.
MEANT = {"deadline": "within", "timeout": "within", "sla": "within", "operation": "step",
         "name": "step", "start": "starts", "end": "ends", "key": "keys", "mandatory": "required",
         "team": "owner", "cardinality": "times", "count": "times", "pair": "pairs",
         "compensations": "compensates", "closes": "close", "opens": "open",
         "publishes": "sends", "subscribes": "consumes", "receives": "consumes"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class At:
    """Where a value stands: its file, its line, and the keys that lead to it."""

    source: str
    line: int
    path: str = ""

    def inside(self, parent: Any, key: object, shown: str) -> At:
        """The place of a value below this one."""
        dot = "" if not self.path or shown.startswith("[") else "."
        return At(self.source, line_of(parent, key), f"{self.path}{dot}{shown}")


@dataclass
class Faults:
    """Collects what is wrong, so that all of it is told at once."""

    found: list[Fault] = field(default_factory=list)

    def add(self, at: At, message: str) -> object:
        """Complain; returns INVALID."""
        place = f"{at.path}: " if at.path else ""
        self.found.append(Fault(at.source, at.line, f"{place}{message}"))
        return INVALID


class Shape(Protocol):
    """Reads one value; never raises, complains to `faults` and returns INVALID."""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """The value as our own type, or INVALID."""
        ...

    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema 2020-12."""
        ...


def shown(value: object) -> str:
    """A value for an error message: short, and what kind it is."""
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True, slots=True)
class Text:
    """A name or a pattern: not empty."""

    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """The text."""
        if isinstance(value, str) and value.strip():
            return str(value)
        return faults.add(at, f"must be a text, is {shown(value)}{_quote(value)}")

    def schema(self) -> dict[str, Any]:
        """A text with something in it."""
        return _helped({"type": "string", "pattern": r"\S"}, self.help)


def _quote(value: object) -> str:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return f"; write '{value}' in quotes" if plain else ""


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """The truth."""
        if isinstance(value, bool):
            return value
        return faults.add(at, f"must be true or false, is {shown(value)}")

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return _helped({"type": "boolean"}, self.help)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """The word."""
        if isinstance(value, str) and value in self.words:
            return str(value)
        hint = nearest(str(value), self.words)
        return faults.add(at, f"must be one of {', '.join(self.words)}, is {shown(value)}{hint}")

    def schema(self) -> dict[str, Any]:
        """An enum."""
        return _helped({"type": "string", "enum": list(self.words)}, self.help)


@dataclass(frozen=True, slots=True)
class Duration:
    """`5m`, `1h30m`, `250ms`: nanoseconds, more than 0."""

    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """Nanoseconds."""
        if isinstance(value, str) and re.fullmatch(DURATION, value):
            parts = _PART.findall(value)
            total = round(sum(float(number) * UNITS[unit] for number, unit in parts))
            if 0 < total <= LONGEST_NS:
                return total
        example = f": {value}s or {value}m" if isinstance(value, int) else ", such as 5m or 1h30m"
        return faults.add(at, f"must be a duration with a unit{example}; is {shown(value)}")

    def schema(self) -> dict[str, Any]:
        """A text; no zero, for which the parser has the last word."""
        return _helped({"type": "string", "pattern": f"(?=.*[1-9]){DURATION}"}, self.help)


@dataclass(frozen=True, slots=True)
class Times:
    """`1`, `1..3`, `2..`, `..5`, or `each`: (least, most); None is no bound, ("each") is as often
    as the step that it comes after."""

    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """(least, most), or "each"."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
            return (int(value), int(value))
        if value == "each":
            return "each"
        found = (
            re.fullmatch(r"([0-9]{0,9})\.\.([0-9]{0,9})", str(value)) if _is_text(value) else None
        )
        if found and value != "..":
            least, most = int(found[1] or 0), int(found[2]) if found[2] else None
            if most is None or least <= most:
                return (least, most)
        return faults.add(at, f"must be a count such as 1, 1..3, 2.. or each; is {shown(value)}")

    def schema(self) -> dict[str, Any]:
        """A number or a range; that it goes upwards only the parser knows."""
        number = {"type": "integer", "minimum": 0, "exclusiveMaximum": 10**9}
        span = {"type": "string", "pattern": r"^(each|[0-9]{1,9}\.\.[0-9]{0,9}|\.\.[0-9]{1,9})$"}
        return _helped({"anyOf": [number, span]}, self.help)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


@dataclass(frozen=True, slots=True)
class Many:
    """A list; `alone`: one item may stand without its list."""

    item: Shape
    least: int = 1
    alone: bool = False
    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """A tuple of what the items are, without the invalid ones."""
        if self.alone and not isinstance(value, list):
            one = self.item.read(value, at, faults)
            return INVALID if one is INVALID else (one,)
        if not isinstance(value, list):
            return faults.add(at, f"must be a list, is {shown(value)}")
        if len(value) < self.least:
            return faults.add(at, f"needs {_count(self.least)}, has {len(value)}")
        read = [
            self.item.read(one, at.inside(value, index, f"[{index}]"), faults)
            for index, one in enumerate(value)
        ]
        return tuple(one for one in read if one is not INVALID)

    def schema(self) -> dict[str, Any]:
        """An array, or what stands for an array of one."""
        many: dict[str, Any] = {
            "type": "array",
            "items": self.item.schema(),
            "minItems": self.least,
        }
        return _helped({"anyOf": [self.item.schema(), many]} if self.alone else many, self.help)


def _count(number: int) -> str:
    return "an item" if number == 1 else f"{number} items"


@dataclass(frozen=True, slots=True)
class Named:
    """A map from names that people choose."""

    item: Shape
    least: int = 1
    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """A dict, without the invalid entries."""
        if not isinstance(value, Mapping):
            return faults.add(at, f"must be a map from names, is {shown(value)}")
        if len(value) < self.least:
            return faults.add(at, f"needs {_count(self.least)}, has {len(value)}")
        found: dict[str, Any] = {}
        for name, one in value.items():
            below = at.inside(value, name, str(name)[:60])
            if not isinstance(name, str) or not name.strip():
                faults.add(below, f"must have a name that is a text, is {shown(name)}")
                continue
            read = self.item.read(one, below, faults)
            if read is not INVALID:
                found[str(name)] = read
        return found

    def schema(self) -> dict[str, Any]:
        """An object with any properties."""
        return _helped(
            {
                "type": "object",
                "additionalProperties": self.item.schema(),
                "propertyNames": {"pattern": r"\S"},
                "minProperties": self.least,
            },
            self.help,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """A map with the keys of `fields`; `build` makes our own value of them and of the place."""

    what: str
    fields: Mapping[str, Shape]
    build: Callable[[dict[str, Any], At], Any]
    needed: tuple[str, ...] = ()
    # (both of these keys true is a contradiction)
    contradict: tuple[tuple[str, str], ...] = ()
    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """What `build` makes of it."""
        if not isinstance(value, Mapping):
            keys = ", ".join(self.needed or self.fields)
            return faults.add(at, f"must be {self.what}, a map with {keys}; is {shown(value)}")
        before = len(faults.found)
        found: dict[str, Any] = {}
        for key, one in value.items():
            below = at.inside(value, key, str(key)[:60])
            shape = self.fields.get(key) if isinstance(key, str) else None
            if shape is None:
                faults.add(below, f"unknown key in {self.what}{self._meant(key)}")
                continue
            read = shape.read(one, below, faults)
            if read is not INVALID:
                found[str(key)] = read
        for key in self.needed:
            if key not in value:
                faults.add(at, f"{self.what} needs the key {key!r}")
        for one, other in self.contradict:
            if found.get(one) is True and found.get(other) is True:
                faults.add(at, f"{one!r} and {other!r} contradict each other")
        return self.build(found, at) if len(faults.found) == before else INVALID

    def _meant(self, key: object) -> str:
        word = str(key)
        meant = MEANT.get(word.lower())
        if meant in self.fields and meant is not None:
            return f"; did you mean {meant!r}?"
        return nearest(word, self.fields)

    def schema(self) -> dict[str, Any]:
        """An object without other properties."""
        said: dict[str, Any] = {
            "type": "object",
            "properties": {name: shape.schema() for name, shape in self.fields.items()},
            "additionalProperties": False,
        }
        if self.needed:
            said["required"] = list(self.needed)
        if self.contradict:
            said["allOf"] = [{"not": _both_true(pair)} for pair in self.contradict]
        return _helped(said, self.help)


def _both_true(pair: tuple[str, str]) -> dict[str, Any]:
    return {"properties": {name: {"const": True} for name in pair}, "required": list(pair)}


@dataclass(frozen=True, slots=True)
class Either:
    """A map, or the shorter form of it."""

    short: Shape
    full: Shape
    help: str = ""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        """What the shape that fits makes of it."""
        return (self.full if isinstance(value, Mapping) else self.short).read(value, at, faults)

    def schema(self) -> dict[str, Any]:
        """Any of both."""
        return _helped({"anyOf": [self.short.schema(), self.full.schema()]}, self.help)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or which ones there are."""
    names = list(known)
    near = get_close_matches(word.lower(), names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"


def _helped(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {**schema, "description": text} if text else schema
