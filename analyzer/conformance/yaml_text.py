"""YAML text to a tree that knows its lines, within bounds on size, depth and aliases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 10_000_000  # the largest published AsyncAPI documents have two
MAX_DEPTH = 100
MAX_NODES = 500_000  # aliases counted as often as they are used


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong in a file, and where; lines count from 1."""

    source: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}"


class DeclarationError(ValueError):
    """A declared file cannot be understood; holds every fault, by line."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def load(text: str, source: str) -> Any:
    """The document's root as ruamel's commented maps and lists, which keep their lines.

    YAML 1.2 (`on` and `no` are words), so JSON as well. Raises `DeclarationError`.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text) > MAX_BYTES:
        raise _error(source, 1, f"the file is larger than {MAX_BYTES:,} characters")
    try:
        _check_bounds(text, source)
        return YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        said = str(error.problem or error.context or "not YAML").split("\n")[0]
        raise _error(source, line, f"not YAML: {said}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, DeclarationError):
            raise
        raise _error(source, 1, f"not YAML: {str(error).splitlines()[0]}") from None


def _error(source: str, line: int, message: str) -> DeclarationError:
    return DeclarationError((Fault(source, line, message),))


def _check_bounds(text: str, source: str) -> None:
    """Refuse what would take for ever to walk, before anything is built of it."""
    sizes: dict[str, int] = {}  # nodes below each anchor
    opened: list[tuple[str | None, int]] = []
    nodes = 0
    for event in _events(text):
        kind, line = type(event).__name__, event.start_mark.line + 1
        if kind == "AliasEvent":
            nodes += sizes.get(event.anchor, 1)
        elif kind.endswith("EndEvent") and opened and not kind.startswith(("Document", "Stream")):
            anchor, before = opened.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            opened.append((event.anchor, nodes))
            nodes += 1
        elif kind == "ScalarEvent":
            nodes += 1
        if len(opened) > MAX_DEPTH:
            raise _error(source, line, f"nested deeper than {MAX_DEPTH} levels")
        if nodes > MAX_NODES:
            raise _error(source, line, f"more than {MAX_NODES:,} values, aliases unfolded")


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    yield from YAML(typ="rt", pure=True).parse(text)


def line_of(parent: Any, key: Any = None) -> int:
    """Line of a key of a map, of an item of a list, or of the node itself; 1 where unknown."""
    place = getattr(parent, "lc", None)
    if place is None:
        return 1
    known = place.data or {}
    if key is not None and key in known:
        return int(known[key][0]) + 1
    return int(place.line or 0) + 1
