"""`$ref` in AsyncAPI documents: inside a document, and to files next to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from analyzer.conformance.declared import Reader
from analyzer.conformance.grammar import nearest
from analyzer.conformance.yaml_text import DeclarationError, Fault, line_of, load

MAX_HOPS = 50


class Document:
    """A document and those that it refers to, each read once."""

    def __init__(self, tree: Any, source: str, reader: Reader) -> None:
        self.tree, self.source, self._reader = tree, source, reader
        self._others: dict[str, Document] = {source: self}

    def resolve(self, node: Any, parent: Any, key: Any) -> tuple[Any, Document]:
        """What a node is after its references, and the document it stands in.

        Raises `DeclarationError` where a reference leads nowhere or in a circle.
        """
        here: Document = self
        for _ in range(MAX_HOPS):
            if not isinstance(node, Mapping) or "$ref" not in node:
                return node, here
            line, target = line_of(node, "$ref"), node["$ref"]
            if not isinstance(target, str):
                raise here.error(line, f"$ref must be a text, is {type(target).__name__}")
            here, node = here._follow(target, line)
        raise self.error(line_of(parent, key), "$ref leads in a circle")

    def error(self, line: int, message: str) -> DeclarationError:
        """One fault in this document."""
        return DeclarationError((Fault(self.source, line, message),))

    def _follow(self, target: str, line: int) -> tuple[Document, Any]:
        path, _, pointer = target.partition("#")
        there = self._other(path, line) if path else self
        return there, there._at(pointer, line if there is self else 1, target)

    def _other(self, path: str, line: int) -> Document:
        if "://" in path:
            raise self.error(line, f"$ref {path!r}: addresses on the network are not read")
        try:
            text, source = self._reader(unquote(path), self.source)
        except OSError as error:
            raise self.error(line, f"$ref {path!r}: {error.strerror or error}") from None
        if source not in self._others:
            other = Document(load(text, source), source, self._reader)
            other._others = self._others
            self._others[source] = other
        return self._others[source]

    def _at(self, pointer: str, line: int, target: str) -> Any:
        """The node of a JSON pointer (RFC 6901)."""
        node = self.tree
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, Mapping) and key in node:
                node = node[key]
            else:
                keys = [str(one) for one in node] if isinstance(node, Mapping) else []
                hint = nearest(key, keys[:30]) if keys else ""
                raise self.error(line, f"$ref {target!r} leads nowhere: no {key!r}{hint}")
        return node
