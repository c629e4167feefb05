"""Takes members of the right type out of parsed JSON, or says which one is wrong and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from collectors.decoders import scalars
from collectors.decoders.scalars import shown
from collectors.ledger import Rejected

T = TypeVar("T")
Object = Mapping[str, Any]

BAD_TYPE = "bad-type"


class Misplaced(Rejected):
    """A rejection that knows where in the document its value stands."""

    def __init__(self, reason: str, path: str, said: str) -> None:
        super().__init__(reason, f"{path}: {said}" if path else said)
        self.path = path
        self.said = said


def within(place: str, bad: Rejected) -> Misplaced:
    """`bad`, whose value stands in `place`: an error gains its path as it rises."""
    inner, said = (bad.path, bad.said) if isinstance(bad, Misplaced) else ("", bad.detail)
    return Misplaced(bad.reason, joined(place, inner), said)


def joined(outer: str, inner: str) -> str:
    """The path of `inner`, which stands in `outer`."""
    return f"{outer}.{inner}" if outer and inner and inner[0] != "[" else outer + inner


def find(owner: Object, names: tuple[str, ...]) -> tuple[str, Any]:
    """The first of these members that is there, by its name; null is as good as absent."""
    for name in names:
        found = owner.get(name)
        if found is not None:
            return name, found
    return names[0], None


def take(owner: Object, names: tuple[str, ...], reader: Callable[[Any], T]) -> T:
    """What `reader` makes of the member, None where it is absent. Raises Rejected."""
    name, value = find(owner, names)
    try:
        return reader(value)
    except Rejected as bad:
        raise within(name, bad) from bad


def text(value: object) -> str | None:
    """A string or nothing. Raises Rejected."""
    if value is None or isinstance(value, str):
        return value
    raise Rejected(BAD_TYPE, f"{shown(value)} is not text")


def count(value: object) -> int:
    """A 32-bit count or flags; absent is 0. Raises Rejected."""
    if value is None or value == "":
        return 0
    number = scalars.integer(value)
    if not 0 <= number < 2**32:
        raise Rejected("bad-integer", f"{shown(value)} is beyond 32 bits")
    return number


def an_object(value: object) -> Object:
    """An object; absent is an empty one. Raises Rejected."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise Rejected(BAD_TYPE, f"{shown(value)} is not an object")


def a_list(value: object) -> list[Any]:
    """A list; absent is an empty one. Raises Rejected."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise Rejected(BAD_TYPE, f"{shown(value)} is not a list")


def items(owner: Object, *names: str) -> Iterator[tuple[str, Object]]:
    """(place, object) of each element of a list of objects. Raises Rejected."""
    name, value = find(owner, names)
    try:
        found = a_list(value)
    except Rejected as bad:
        raise within(name, bad) from bad
    for number, item in enumerate(found):
        place = f"{name}[{number}]"
        if not isinstance(item, Mapping):
            raise Misplaced(BAD_TYPE, place, f"{shown(item)} is not an object")
        yield place, item


def each(
    values: object, path: str, reject: Callable[[Rejected], None], first: int = 0
) -> Iterator[tuple[str, Object]]:
    """(path, object) of each element of a list at `path`; what is wrong goes to `reject`.

    The list begins with element `first` of a longer one.
    """
    try:
        listed = a_list(values)
    except Rejected as bad:
        reject(within(path, bad))
        return
    for number, value in enumerate(listed, first):
        place = f"{path}[{number}]"
        if isinstance(value, Mapping):
            yield place, value
        else:
            reject(Misplaced(BAD_TYPE, place, f"{shown(value)} is not an object"))
