"""Parser of the filter language: text -> a small syntax tree, with errors that point.

expr := and (OR and)*        and := not ((AND)? not)*       not := (NOT | -)* atom
atom := ( expr ) | field:value,value,... | value
value := word | "quoted" | /regex/ | >x | >=x | <x | <=x | x..y    (words may be globs)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.where.fields import BY_NAME, Field, nearest

MAX_LENGTH = 10_000  # no person types more
MAX_DEPTH = 50  # of parentheses: the parser descends


class WhereError(ValueError):
    """A filter that cannot be understood; `start` and `end` are where in `query`."""

    def __init__(self, message: str, query: str, start: int, end: int | None = None) -> None:
        self.query = query
        self.start = start
        self.end = max(end if end is not None else start + 1, start + 1)
        self.message = message
        super().__init__(f"{message} (position {start + 1})")


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its text, how it was written, and where it stands."""

    text: str
    form: str  # word, quoted, regex, >, >=, <, <=, range
    start: int
    end: int
    upper: str = ""  # second bound of a range


@dataclass(frozen=True, slots=True)
class Match:
    """Field (None = any text) with at least one of the values."""

    field: Field | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them; none at all is always true."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple[Node, ...]


Node = Match | Not | And | Or

_SURROGATE = re.compile("[\ud800-\udfff]")  # of an undecodable byte; no frame can hold it
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r'[^\s(),"]+')
_FIELD = re.compile(r"([A-Za-z_][\w.-]*)(?::|(?=[<>]))")
_KEYWORD = re.compile(r"(AND|OR|NOT)(?=[\s()]|$)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*)/(?=[\s,)]|$)", re.DOTALL)
_COMPARE = re.compile(r">=|<=|>|<")


def parse(query: str) -> Node:
    """Syntax tree of `query`; WhereError names the token, its place and what would be right."""
    if len(query) > MAX_LENGTH:
        raise WhereError(f"a filter has at most {MAX_LENGTH:,} characters", query, MAX_LENGTH)
    if broken := _SURROGATE.search(query):
        raise WhereError("this is no character", query, broken.start())
    parser = _Parser(query)
    node = parser.expression(0)
    if parser.at < len(query):
        raise parser.error("this closing parenthesis has no opening one", 1)
    return node


class _Parser:
    """One pass over the text; `at` is the next character to read."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.at = 0
        self._skip()

    def error(self, message: str, length: int = 1) -> WhereError:
        return WhereError(message, self.query, self.at, self.at + length)

    def expression(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(f"parentheses are nested more than {MAX_DEPTH} deep")
        parts = [self._all_of(depth)]
        while self._keyword("OR"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all_of(self, depth: int) -> Node:
        parts: list[Node] = []
        wanted = depth > 0  # something has to follow
        while True:
            if self._ends():
                if wanted or self._at_keyword("OR"):
                    raise self.error("a condition is missing here")
                break
            parts.append(self._negated(depth))
            wanted = self._keyword("AND")
            if not wanted and self._ends():
                break
        if self._at_keyword("OR") and self._rest_is_empty_after("OR"):
            raise self.error("OR needs a condition on both sides", 2)
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _negated(self, depth: int) -> Node:
        negative = False
        while True:
            if self._at_keyword("NOT"):
                self._keyword("NOT")
            elif self.query.startswith("-", self.at):
                self._advance(1)
            else:
                break
            negative = not negative
            if self._ends():
                raise self.error("a condition is missing after the negation")
        part = self._atom(depth)
        return Not(part) if negative else part

    def _atom(self, depth: int) -> Node:
        if self._at_keyword("AND"):
            raise self.error("AND needs a condition on both sides", 3)
        if self.query.startswith("(", self.at):
            self._advance(1)
            node = self.expression(depth + 1)
            if not self.query.startswith(")", self.at):
                raise self.error("a closing parenthesis is missing here")
            self._advance(1)
            return node
        return self._match()

    def _match(self) -> Match:
        named = _FIELD.match(self.query, self.at)
        field = None
        if named:
            field = BY_NAME.get(named[1].lower())
            if field is None:
                raise self._unknown_field(named[1])
            self.at = named.end()
        values = [self._value(field)]
        while field and self.query.startswith(",", self.at):
            self.at += 1
            values.append(self._value(field))
        if self.query.startswith(",", self.at):
            raise self.error('a comma needs a field before it, or quotes: "a,b"')
        self._skip()
        return Match(field, tuple(values))

    def _unknown_field(self, name: str) -> WhereError:
        near = nearest(name, list(BY_NAME))
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(BY_NAME)}"
        return self.error(
            f"unknown field {name!r}; {hint} (text with a colon needs quotes)", len(name)
        )

    def _value(self, field: Field | None) -> Value:
        start = self.at
        compare = _COMPARE.match(self.query, self.at) if field else None
        if compare:
            self.at = compare.end()
        if match := _QUOTED.match(self.query, self.at):
            text, form = re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), "quoted"
        elif not compare and (match := _REGEX.match(self.query, self.at)):
            text, form = match[1].replace(r"\/", "/"), "regex"
        elif match := _WORD.match(self.query, self.at):
            text, form = match[0], "word"
        elif self.query.startswith('"', self.at):
            raise self.error("this quote is never closed")
        else:
            raise self.error("a value is missing here")
        self.at = match.end()
        if compare:
            return Value(text, compare[0], start, self.at)
        return self._ranged(field, Value(text, form, start, self.at))

    def _ranged(self, field: Field | None, value: Value) -> Value:
        if field is None or value.form != "word" or ".." not in value.text:
            return value
        if field.type not in ("count", "duration", "time"):
            return value
        low, high = value.text.split("..", 1)
        if not low and not high:
            raise WhereError("a range needs a bound", self.query, value.start, value.end)
        return Value(low, "range", value.start, value.end, high)

    def _ends(self) -> bool:
        return (
            self.at >= len(self.query)
            or self.query.startswith(")", self.at)
            or self._at_keyword("OR")
        )

    def _at_keyword(self, word: str) -> bool:
        match = _KEYWORD.match(self.query, self.at)
        return bool(match and match[1] == word)

    def _rest_is_empty_after(self, word: str) -> bool:
        return not self.query[self.at + len(word) :].strip(") \t\n")

    def _keyword(self, word: str) -> bool:
        if not self._at_keyword(word):
            return False
        self._advance(len(word))
        if word in ("AND", "OR") and self._ends():
            raise self.error(f"{word} needs a condition on both sides")
        return True

    def _advance(self, length: int) -> None:
        self.at += length
        self._skip()

    def _skip(self) -> None:
        match = _SPACE.match(self.query, self.at)
        self.at = match.end() if match else self.at


def values_of(node: Node) -> Sequence[Value]:
    """Every value in the tree, from left to right."""
    if isinstance(node, Match):
        return node.values
    if isinstance(node, Not):
        return values_of(node.part)
    return [value for part in node.parts for value in values_of(part)]
