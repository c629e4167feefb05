"""An EventCatalog folder as a contract: services with what they send and receive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.conformance.declared import Channel, Contract, Operation, Use
from analyzer.conformance.expectations import Origin
from analyzer.conformance.grammar import nearest, shown
from analyzer.conformance.yaml_text import DeclarationError, Fault, line_of, load

_MESSAGES = frozenset({"events", "commands", "queries"})
_LISTS = {"sends": Use.SENDS, "receives": Use.RECEIVES}
_OLD_LISTS = {"producers": Use.SENDS, "consumers": Use.RECEIVES}  # version 1, in the event's page


@dataclass(frozen=True)
class Page:
    """A markdown file of the catalog: its path inside the catalog, its front matter."""

    path: str
    source: str
    matter: Any

    @property
    def id(self) -> str:
        """Its id, else its name, else its folder."""
        folder = self.path.rpartition("/")[0].rpartition("/")[2]
        return str(self.matter.get("id") or self.matter.get("name") or folder)

    @property
    def collection(self) -> str:
        """services, events, commands, queries, channels, ...: the innermost such folder."""
        parts = self.path.split("/")[:-1]
        known = ("services", "channels", *_MESSAGES)
        return next((part for part in reversed(parts) if part in known), "")


def parse(files: Sequence[tuple[str, str, str]], source: str) -> Contract:
    """The catalog's contract. `files`: (path inside the catalog, source name, text) of its
    markdown files, in order. Raises `DeclarationError` with everything that is wrong."""
    faults: list[Fault] = []
    pages = [page for one in files if (page := _page(one, faults)) is not None]
    services = {one.id: one for one in pages if one.collection == "services"}
    messages = {one.id: one for one in pages if one.collection in _MESSAGES}
    channels = {one.id: one for one in pages if one.collection == "channels"}
    if not services and not messages:
        said = "no service and no event is described here: is it an EventCatalog folder?"
        faults.append(Fault(source, 1, said))
    book = _Book(messages, channels, faults)
    operations = [
        *(one for page in services.values() for one in book.of_service(page)),
        *(one for page in messages.values() for one in book.of_message(page)),
    ]
    if faults:
        raise DeclarationError(tuple(sorted(faults)))
    every = tuple(book.channel_of(page) for page in messages.values())
    return Contract(source, source, tuple(services), every, tuple(operations))


def _page(file: tuple[str, str, str], faults: list[Fault]) -> Page | None:
    """A page of the catalog; None for an older version of one, and for what has no front matter."""
    path, source, text = file
    if "/versioned/" in f"/{path}" or not text.startswith("---"):
        return None
    matter, end, _ = text[3:].partition("\n---")
    if not end:
        return None
    try:
        tree = load(matter, source)  # begins with the rest of the first line: lines are right
    except DeclarationError as error:
        faults.extend(error.faults)
        return None
    return Page(path, source, tree) if isinstance(tree, Mapping) else None


@dataclass(frozen=True)
class _Book:
    messages: dict[str, Page]
    channels: dict[str, Page]
    faults: list[Fault]

    def of_service(self, page: Page) -> Iterator[Operation]:
        """What a service's page says that it sends and receives."""
        for key, use in _LISTS.items():
            for name, line, route in self._items(page, key):
                message = self.messages.get(name)
                if message is None:
                    self._unknown(page, line, name)
                    continue
                channel = self.channel_of(message, route)
                yield Operation(page.id, use, channel, name, Origin(page.source, line))

    def of_message(self, page: Page) -> Iterator[Operation]:
        """What an event's page of version 1 says of its producers and consumers."""
        for key, use in _OLD_LISTS.items():
            for name, line, _ in self._items(page, key):
                channel = self.channel_of(page)
                yield Operation(name, use, channel, page.id, Origin(page.source, line))

    def _items(self, page: Page, key: str) -> Iterator[tuple[str, int, list[str]]]:
        """(id, line, channels that it goes through) of each entry of a list."""
        listed = page.matter.get(key)
        if listed is None:
            return
        if not isinstance(listed, list):
            said = f"{key} must be a list, is {shown(listed)}"
            self.faults.append(Fault(page.source, line_of(page.matter, key), said))
            return
        for index, one in enumerate(listed):
            name = one.get("id") if isinstance(one, Mapping) else one
            line = line_of(listed, index)
            if not isinstance(name, str) or not name.strip():
                said = f"{key}[{index}] needs the id of a message, is {shown(one)}"
                self.faults.append(Fault(page.source, line, said))
                continue
            yield name, line, list(_routes(one))

    def _unknown(self, page: Page, line: int, name: str) -> None:
        hint = nearest(name, self.messages) if self.messages else ""
        said = f"no message with the id {name!r}{hint}"
        self.faults.append(Fault(page.source, line, said))

    def channel_of(self, page: Page, route: Sequence[str] = ()) -> Channel:
        """The channel of a message: where the service routes it, where its page says, its name."""
        routed = list(route) or list(_routes(page.matter, ("channels",)))
        addresses = [
            str(self.channels[one].matter.get("address") or one) if one in self.channels else one
            for one in routed
        ]
        if addresses:
            return Channel(addresses[0], tuple(dict.fromkeys(addresses)), Origin(page.source, 1))
        names = dict.fromkeys((page.id, str(page.matter.get("name") or page.id)))
        every = dict.fromkeys((*names, *(other for name in names for other in spellings(name))))
        return Channel(page.id, tuple(every), Origin(page.source, 1))


def _routes(entry: Any, keys: tuple[str, ...] = ("to", "from")) -> Iterator[str]:
    for key in keys:
        places = entry.get(key) if isinstance(entry, Mapping) else None
        for place in places if isinstance(places, list) else []:
            name = place.get("id") if isinstance(place, Mapping) else place
            if isinstance(name, str) and name.strip():
                yield name


def spellings(name: str) -> tuple[str, ...]:
    """`OrderPlaced` as brokers' topics spell it: order.placed, order-placed, order_placed."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    words = [word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word]
    return tuple(dict.fromkeys(sign.join(words) for sign in (".", "-", "_", "/")))
