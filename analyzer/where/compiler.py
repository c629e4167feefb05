"""Syntax tree of a filter -> a polars expression over the instances frame."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import reduce

import polars as pl

from analyzer.escape import escape
from analyzer.finding import State
from analyzer.reporters.units import parse_duration, parse_time
from analyzer.where.fields import TEXT_COLUMNS, TEXT_LISTS, Field, nearest
from analyzer.where.grammar import And, Match, Node, Not, Value, WhereError, parse

KELVIN = "\u212a"
Test = Callable[[pl.Expr], pl.Expr]  # of a string column


def compile_where(query: str, as_of_ns: int) -> pl.Expr:
    """Boolean expression, never null, over a frame of the shape `INSTANCES`.

    `as_of_ns` is the "now" of ages and of overdue times. An empty query keeps every row.
    Regular expressions run in polars (linear time). WhereError says what is wrong and where.
    """
    return _Compiler(query, as_of_ns).node(parse(query))


def matches(instances: pl.DataFrame, query: str, as_of_ns: int) -> pl.DataFrame:
    """The rows of `instances` that `query` keeps, in their order."""
    return instances.filter(compile_where(query, as_of_ns)) if query.strip() else instances


class _Compiler:
    def __init__(self, query: str, as_of_ns: int) -> None:
        self.query = query
        self.now = as_of_ns

    def node(self, node: Node) -> pl.Expr:
        if isinstance(node, Match):
            return _any([self._value(node.field, value) for value in node.values])
        if isinstance(node, Not):
            return ~self.node(node.part)
        parts = [self.node(part) for part in node.parts]
        if not parts:
            return pl.lit(True)
        return reduce(operator.and_ if isinstance(node, And) else operator.or_, parts)

    def _value(self, field: Field | None, value: Value) -> pl.Expr:
        if field is None:
            return self._anywhere(value)
        if field.type in ("count", "duration", "time"):
            return self._number(field, value).fill_null(False)
        if value.form in (">", ">=", "<", "<="):
            raise self._error(value, f"{field.names[0]!r} is text and has no {value.form}")
        if field.names[0] == "state":
            self._check_state(value)
        return self._text(field, value)

    def _text(self, field: Field, value: Value) -> pl.Expr:
        exact = value.form == "quoted" or (value.form == "word" and not set(value.text) & set("*?"))
        if field.type == "key" and exact and value.text.isascii():
            return _test_list(field.columns[0], _is_key(value.text))
        test = self._test(value, prefix=field.type == "trace")
        if field.type == "word":
            return _any([_test_column(column, test) for column in field.columns])
        if field.type == "key":
            return _test_key(field.columns[0], test)
        return _test_list(field.columns[0], test)

    def _anywhere(self, value: Value) -> pl.Expr:
        """Text without a field: somewhere in the row, whatever the case."""
        globs = value.form == "word" and bool(set(value.text) & set("*?"))
        if globs or value.form == "regex":
            test = self._test(value)
        elif value.text.isascii():  # half of what a pattern costs
            test = _has(value.text)
        else:
            test = self._contains(value, "(?is)" + _literal(value.text))
        columns = [_test_column(column, test) for column in TEXT_COLUMNS]
        return _any([*columns, *(_test_list(column, test) for column in TEXT_LISTS)])

    def _test(self, value: Value, *, prefix: bool = False) -> Test:
        if value.form == "regex":
            return self._contains(value, value.text)
        if value.form == "word" and set(value.text) & set("*?"):
            return self._contains(value, _glob(value.text))
        lowered = value.text.lower()
        if prefix:
            return lambda column: column.str.to_lowercase().str.starts_with(lowered)
        return lambda column: column.str.to_lowercase() == lowered

    def _contains(self, value: Value, pattern: str) -> Test:
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.ComputeError as error:
            reason = str(error).split("This error occurred")[0].strip().splitlines()[-1]
            raise self._error(value, f"bad pattern: {escape(reason)}") from None
        return lambda column: column.str.contains(pattern)

    def _check_state(self, value: Value) -> None:
        if value.form == "regex" or set(value.text) & set("*?"):
            return
        states = [state.value for state in State]
        if value.text.lower() not in states:
            near = nearest(value.text, states)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(states)}"
            raise self._error(value, f"unknown state {value.text!r}; {hint}")

    def _number(self, field: Field, value: Value) -> pl.Expr:
        measured = self._measured(field)
        if value.form == "range":
            low, high = (self._bounds(field, value, text) for text in (value.text, value.upper))
            above = measured >= low[0] if low else pl.lit(True)
            return above & (measured < high[1] if high else pl.lit(True))
        bounds = self._bounds(field, value, value.text)
        if bounds is None or value.form == "regex":
            raise self._error(value, f"{field.names[0]!r} takes a {field.type}, not a pattern")
        first, last = bounds
        return {
            ">": measured >= last,
            ">=": measured >= first,
            "<": measured < first,
            "<=": measured < last,
        }.get(value.form, (measured >= first) & (measured < last))

    def _measured(self, field: Field) -> pl.Expr:
        name = field.names[0]
        if name == "duration":
            return pl.col("end_ns") - pl.col("start_ns")
        if name in ("age", "overdue"):
            past = self.now - pl.col(field.columns[0])
            return past if name == "age" else pl.when(past > 0).then(past)
        return pl.col(field.columns[0]).cast(pl.Int64)

    def _bounds(self, field: Field, value: Value, text: str) -> tuple[int, int] | None:
        """[first, last) of what the text names; None for the open end of a range."""
        if not text:
            return None
        try:
            if field.type == "time":
                return parse_time(text)
            number = parse_duration(text) if field.type == "duration" else _count(text)
        except ValueError as error:
            raise self._error(value, str(error)) from None
        return number, number + 1

    def _error(self, value: Value, message: str) -> WhereError:
        return WhereError(message, self.query, value.start, value.end)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is not a count such as 12")
    return int(text)


def _literal(text: str) -> str:
    """`text` for the Rust engine, whose escapes are not those of `re.escape`."""
    return re.sub(r"\W", lambda match: f"\\x{{{ord(match[0]):x}}}", text)


def _glob(pattern: str) -> str:
    parts = [
        {"*": ".*", "?": "."}.get(char) or _literal(char) for char in re.sub(r"\*+", "*", pattern)
    ]
    return f"(?is)^{''.join(parts)}$"


def _any(parts: list[pl.Expr]) -> pl.Expr:
    return reduce(operator.or_, parts)


def _test_column(column: str, test: Test) -> pl.Expr:
    return test(pl.col(column)).fill_null(False)


def _test_list(column: str, test: Test) -> pl.Expr:
    return pl.col(column).list.eval(test(pl.element())).list.any().fill_null(False)


def _has(text: str) -> Test:
    """Somewhere in it, ASCII letters in either case."""
    return lambda column: column.str.contains_any([text], ascii_case_insensitive=True)


def _is_key(text: str) -> Test:
    """As `_test_key` for ASCII: one pattern costs less than three lowered copies. What is
    lowered to an ASCII letter is that letter, its capital, and the kelvin sign."""
    letters = [f"[{c.lower()}{c.upper()}{KELVIN * (c in 'kK')}]" if c.isalpha() else _literal(c)
               for c in text]  # fmt: skip
    said = "".join(letters)
    name = "" if "=" in text else f"|{said}=.*"
    pattern = f"(?s)^(?:(?:[^=]*=)?{said}{name})$"
    return lambda column: column.str.contains(pattern)


def _test_key(column: str, test: Test) -> pl.Expr:
    """`name`, `value` or `name=value`."""
    parts = pl.element().str.splitn("=", 2)
    name, value = parts.struct.field("field_0"), parts.struct.field("field_1")
    hit = test(pl.element()) | test(name) | test(value).fill_null(False)
    return pl.col(column).list.eval(hit).list.any().fill_null(False)
