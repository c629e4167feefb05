"""What a filter that is being typed can go on with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from textual.suggester import Suggester

if TYPE_CHECKING:
    import polars as pl

Values = Mapping[str, Sequence[str]]  # of a field, by its first name

MOST = 200  # values of a field that are offered
_TOKEN = re.compile(r'(?:^|[\s(])-?([^\s()"]*)$')
_DURATIONS = (">1m", ">5m", ">15m", ">1h", ">1d")
_COUNTS = (">0", ">10", ">100")


def completions(text: str, values: Values) -> list[str]:
    """What may stand in place of the last word of `text`: fields, or values of its field."""
    found = _TOKEN.search(text)
    if found is None or text.count('"') % 2:
        return []
    token = found[1]
    name, colon, rest = token.partition(":")
    if not colon:
        return _fields(token)
    done, _, typed = rest.rpartition(",")
    head = f"{name}:{done}," if done else f"{name}:"
    matching = [v for v in _of_field(name, values) if v.lower().startswith(typed.lower())]
    return [head + _quoted(value) for value in matching if value != typed]


def completed(text: str, completion: str) -> str:
    """`text` with its last word replaced."""
    found = _TOKEN.search(text)
    return text[: found.start(1)] + completion if found else text


def _fields(typed: str) -> list[str]:
    from analyzer.where import FIELDS

    names = [name for field in FIELDS for name in field.names]
    return [f"{name}:" for name in names if name.startswith(typed.lower())]


def _of_field(name: str, values: Values) -> Iterable[str]:
    from analyzer.where.fields import BY_NAME

    field = BY_NAME.get(name.lower())
    if field is None:
        return ()
    if field.type in ("duration", "count"):
        return _DURATIONS if field.type == "duration" else _COUNTS
    return values.get(field.names[0], ())


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w.:<>=-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def values_of(instances: pl.DataFrame) -> dict[str, list[str]]:
    """The values that occur, the frequent ones first. Of a million rows: a worker's task."""
    import polars as pl

    columns = {"state": ["state"], "workflow": ["workflow"], "cause": ["cause"],
               "waiting": ["waiting_service", "waiting_step", "waiting_destination"]}  # fmt: skip
    found = {
        field: _frequent(pl.concat([instances[name] for name in names]).drop_nulls())
        for field, names in columns.items()
    }
    some = instances.head(100_000)["services"].explode().drop_nulls()
    found["service"] = _frequent(some)
    found["instance"] = instances["id"].head(MOST).to_list()
    return found


def _frequent(column: pl.Series) -> list[str]:
    counted = (
        column.rename("value").value_counts().sort(["count", "value"], descending=[True, False])
    )
    return [str(value) for value in counted["value"].head(MOST).to_list()]


class Completer(Suggester):
    """The likeliest way to go on, behind the cursor; the right arrow or tab takes it."""

    def __init__(self, values: Callable[[], Values]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._values = values

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with the first completion; None where there is none that goes on."""
        for completion in completions(value, self._values()) if value.strip() else ():
            whole = completed(value, completion)
            if whole.startswith(value) and whole.isprintable():
                return whole
        return None
