"""AsyncAPI 2 and 3 documents as contracts: who sends to and receives from which channel.

In version 2 the verbs are those of the others: `publish` says that others publish to the
application, so the application receives; `subscribe` says that it sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from analyzer.conformance.declared import Channel, Contract, Operation, Reader, Use
from analyzer.conformance.expectations import Origin
from analyzer.conformance.grammar import nearest, shown
from analyzer.conformance.references import Document
from analyzer.conformance.yaml_text import DeclarationError, Fault, line_of, load

T = TypeVar("T")
V2_VERBS = {"publish": Use.RECEIVES, "subscribe": Use.SENDS}
V3_ACTIONS = {"send": Use.SENDS, "receive": Use.RECEIVES}
_OTHER = {Use.SENDS: Use.RECEIVES, Use.RECEIVES: Use.SENDS}
# Where bindings keep the name that brokers know: protocol -> paths below the binding.
_BINDINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("kafka", ("topic",)),
    ("amqp", ("queue", "name")),
    ("amqp", ("exchange", "name")),
    ("amqp1", ("address",)),
    ("googlepubsub", ("topic",)),
    ("sns", ("name",)),
    ("sqs", ("queue", "name")),
    ("jms", ("destination",)),
    ("ibmmq", ("queue", "objectName")),
    ("ibmmq", ("topic", "objectName")),
    ("ibmmq", ("topic", "string")),
    ("anypointmq", ("destination",)),
    ("pulsar", ("topic",)),
    ("nats", ("queue",)),
)
_SERVICE_KEYS = ("x-service-name", "x-service", "x-application")


def parse(text: str, source: str, service: str | None, reader: Reader) -> Contract:
    """The contract of a document (YAML or JSON). `service`: whose it is; by default its title's.

    Raises `DeclarationError` with everything that keeps its channels from being understood.
    """
    document = Document(load(text, source), source, reader)
    major = _version(document)
    importer = _Importer(document, service)
    return importer.contract(major)


def _version(document: Document) -> int:
    tree = document.tree
    if not isinstance(tree, Mapping) or "asyncapi" not in tree:
        said = "is not an AsyncAPI document: the key 'asyncapi' is missing"
        if isinstance(tree, Mapping) and ("openapi" in tree or "swagger" in tree):
            said += "; it is OpenAPI, which describes calls and not events"
        raise document.error(1, said)
    version = str(tree["asyncapi"])
    major = version.partition(".")[0]
    if major not in ("2", "3"):
        line = line_of(tree, "asyncapi")
        raise document.error(line, f"AsyncAPI {version[:20]} is not read; versions 2 and 3 are")
    return int(major)


class _Importer:
    """Collects channels and operations, and what is wrong with them."""

    def __init__(self, document: Document, service: str | None) -> None:
        self.document, self.faults = document, list[Fault]()
        info = document.tree.get("info")
        info = info if isinstance(info, Mapping) else {}
        self.title = str(info.get("title") or document.tree.get("id") or "").strip()
        named = next((str(info[key]) for key in _SERVICE_KEYS if info.get(key)), None)
        self.given = service or named
        self.service = self.given or self.title or document.source

    def contract(self, major: int) -> Contract:
        read = self._version_2 if major == 2 else self._version_3
        channels, operations = read()
        if self.faults:
            raise DeclarationError(tuple(sorted(self.faults)))
        return Contract(
            self.document.source,
            self.title,
            (self.service,),
            tuple(channels.values()),
            tuple(operations),
            certain=self.given is not None,
        )

    def _map(self, parent: Any, key: str, what: str) -> Mapping[Any, Any]:
        """A map below `parent`; an empty one where it is absent or wrong."""
        value = parent.get(key) if isinstance(parent, Mapping) else None
        if value is None or isinstance(value, Mapping):
            return value or {}
        self._fault(self.document, line_of(parent, key), f"{what} must be a map, is {shown(value)}")
        return {}

    def _fault(self, document: Document, line: int, message: str) -> None:
        self.faults.append(Fault(document.source, line, message))

    def _try(self, default: T, read: Callable[..., T], *arguments: Any) -> T:
        """What `read` returns; a fault of it is kept, and the rest goes on."""
        try:
            return read(*arguments)
        except DeclarationError as error:
            self.faults += [one for one in error.faults if one not in self.faults]
            return default

    def _resolve(self, where: Document, parent: Any, key: Any) -> tuple[Any, Document]:
        """The node below `parent` after its references; an empty map where they lead nowhere."""
        return self._try(({}, where), where.resolve, parent[key], parent, key)

    def _version_2(self) -> tuple[dict[str, Channel], list[Operation]]:
        channels: dict[str, Channel] = {}
        operations: list[Operation] = []
        declared = self._map(self.document.tree, "channels", "channels")
        for name in declared:
            node, where = self._resolve(self.document, declared, name)
            line = line_of(declared, name)
            if not isinstance(node, Mapping):
                self._fault(self.document, line, f"channel {name!s} must be a map")
                continue
            origin = Origin(self.document.source, line)
            address = str(name)
            channels[address] = _channel(address, address, node, where, origin)
            for verb, use in V2_VERBS.items():
                if node.get(verb) is not None:
                    operations.append(self._operation(node, verb, use, channels[address], where))
        return channels, operations

    def _operation(
        self, parent: Any, key: Any, use: Use, channel: Channel, where: Document
    ) -> Operation:
        node, there = self._resolve(where, parent, key)
        names = tuple(_operation_names(node, there, self._resolve))
        if names:
            channel = replace(channel, addresses=tuple(dict.fromkeys((*channel.addresses, *names))))
        message = _message(node)
        return Operation(
            self.service, use, channel, message, Origin(where.source, line_of(parent, key))
        )

    def _version_3(self) -> tuple[dict[str, Channel], list[Operation]]:
        tree, channels = self.document.tree, dict[str, Channel]()
        nodes: dict[int, str] = {}
        declared = self._map(tree, "channels", "channels")
        for name in declared:
            found = self._try(None, self._channel_3, declared, name)
            if found is not None:
                channels[str(name)], node = found
                nodes[id(node)] = str(name)
        operations: list[Operation] = []
        wanted = self._map(tree, "operations", "operations")
        for name in wanted:
            operations += self._try([], self._of_name, wanted, name, channels, nodes)
        return channels, operations

    def _of_name(
        self, parent: Any, name: Any, channels: dict[str, Channel], nodes: dict[int, str]
    ) -> list[Operation]:
        return list(self._operations_3(parent, name, channels, nodes))

    def _channel_3(self, parent: Any, name: Any) -> tuple[Channel, Any] | None:
        node, where = self.document.resolve(parent[name], parent, name)
        line = line_of(parent, name)
        if not isinstance(node, Mapping):
            raise self.document.error(line, f"channel {name!s} must be a map")
        address = node.get("address")
        origin = Origin(self.document.source, line)
        text = str(address) if address is not None else ""
        return _channel(str(name), text, node, where, origin), node

    def _operations_3(
        self, parent: Any, name: Any, channels: dict[str, Channel], nodes: dict[int, str]
    ) -> Iterator[Operation]:
        node, where = self.document.resolve(parent[name], parent, name)
        line = line_of(parent, name)
        if not isinstance(node, Mapping):
            raise self.document.error(line, f"operation {name!s} must be a map")
        action = node.get("action")
        if not isinstance(action, str) or action not in V3_ACTIONS:
            hint = nearest(str(action), V3_ACTIONS)
            raise where.error(
                line_of(node, "action"),
                f"operation {name!s}: action must be send or receive, is {shown(action)}{hint}",
            )
        use = V3_ACTIONS[action]
        for holder, its_use in ((node, use), (self._reply(node, where), _OTHER[use])):
            if isinstance(holder, Mapping) and holder.get("channel") is not None:
                channel = self._channel_of(holder, where, channels, nodes)
                names = (
                    tuple(_operation_names(node, where, self._resolve)) if holder is node else ()
                )
                addresses = tuple(dict.fromkeys((*channel.addresses, *names)))
                yield Operation(
                    self.service,
                    its_use,
                    replace(channel, addresses=addresses),
                    _message(node),
                    Origin(self.document.source, line),
                )
            elif holder is node:
                raise where.error(line, f"operation {name!s} needs the key 'channel'")

    def _reply(self, node: Any, where: Document) -> Any:
        reply = node.get("reply")
        return None if reply is None else where.resolve(reply, node, "reply")[0]

    def _channel_of(
        self, holder: Any, where: Document, channels: dict[str, Channel], nodes: dict[int, str]
    ) -> Channel:
        """The channel that an operation names by `$ref`; one of this document, or another's."""
        node, there = where.resolve(holder["channel"], holder, "channel")
        if id(node) in nodes:
            return channels[nodes[id(node)]]
        line = line_of(holder, "channel")
        if not isinstance(node, Mapping):
            raise where.error(line, f"channel must be a reference, is {shown(node)}")
        name = str(holder["channel"].get("$ref", "")).rpartition("/")[2]
        text = str(node.get("address") or "")
        return _channel(name, text, node, there, Origin(where.source, line))


def _channel(name: str, address: str, node: Any, where: Document, origin: Origin) -> Channel:
    """A channel under its address and under the names of its bindings."""
    names = list(_binding_names(node.get("bindings"), node, where, _BINDINGS))
    filled = [_with_values(one, node.get("parameters"), where) for one in (address, *names) if one]
    every = dict.fromkeys(one for several in filled for one in several)
    return Channel(name, tuple(one for one in every if _has_text(one)), origin)


def _has_text(address: str) -> bool:
    """Whether more than parameters is left of an address; `{queue}` would be any queue."""
    depth, text = 0, False
    for char in address:
        depth += (char == "{") - (char == "}")
        text |= depth == 0 and char.isalnum()
    return text


def _with_values(address: str, parameters: Any, where: Document) -> list[str]:
    """The address with each parameter that has an enum replaced by its values."""
    found = [address]
    for name in parameters if isinstance(parameters, Mapping) else ():
        values = _enum(parameters, name, where)
        mark = f"{{{name}}}"
        if values and mark in address and len(found) * len(values) <= 200:
            found = [one.replace(mark, value) for one in found for value in values]
    return found


def _enum(parameters: Any, name: Any, where: Document) -> list[str]:
    """Values of a parameter: `enum` in version 3, `schema.enum` in version 2."""
    try:
        node, there = where.resolve(parameters[name], parameters, name)
        if isinstance(node, Mapping) and "schema" in node:
            node, _ = there.resolve(node["schema"], node, "schema")
    except DeclarationError:
        return []  # a parameter that cannot be read is any value
    values = node.get("enum") if isinstance(node, Mapping) else None
    return [str(one) for one in values] if isinstance(values, list) else []


def _binding_names(
    bindings: Any, parent: Any, where: Document, paths: tuple[tuple[str, tuple[str, ...]], ...]
) -> Iterator[str]:
    if bindings is None:
        return
    bindings, where = where.resolve(bindings, parent, "bindings")
    for protocol, path in paths:
        node = bindings.get(protocol) if isinstance(bindings, Mapping) else None
        node, _ = where.resolve(node, bindings, protocol)
        for key in path:
            node = node.get(key) if isinstance(node, Mapping) else None
        if isinstance(node, str) and node.strip():
            yield node


def _operation_names(
    node: Any, where: Document, resolve: Callable[[Document, Any, Any], tuple[Any, Document]]
) -> Iterator[str]:
    """Queues and topics that an operation's bindings, or those of its traits, name."""
    if not isinstance(node, Mapping):
        return
    traits = node.get("traits")
    traits = traits if isinstance(traits, list) else []
    for holder, there in [
        (node, where),
        *(resolve(where, traits, at) for at in range(len(traits))),
    ]:
        if isinstance(holder, Mapping) and holder.get("bindings") is not None:
            yield from _solace(resolve(there, holder, "bindings")[0])


def _solace(bindings: Any) -> Iterator[str]:
    solace = bindings.get("solace") if isinstance(bindings, Mapping) else None
    places = solace.get("destinations") if isinstance(solace, Mapping) else None
    for place in places if isinstance(places, list) else []:
        queue = place.get("queue") if isinstance(place, Mapping) else None
        name = queue.get("name") if isinstance(queue, Mapping) else None
        if isinstance(name, str) and name.strip():
            yield name


def _message(node: Any) -> str | None:
    """What the message is called, where the document says it in place; only for people."""
    message = node.get("message") if isinstance(node, Mapping) else None
    if isinstance(message, Mapping):
        name = message.get("name") or str(message.get("$ref", "")).rpartition("/")[2]
        return str(name) or None
    return None
