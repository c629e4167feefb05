"""A small web application: routes, access, bodies within bounds and in time. Knows no spans."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from collectors.receivers.bodies import too_large
from collectors.receivers.outflow import Outflow
from collectors.receivers.refusals import Refused, Why

MAX_HEADERS = 32 << 10  # bytes of all headers
BODY_TIME = 30.0  # seconds that a body may take to arrive
UNREAD = 1 << 20  # bytes of a refused request's body that are taken in and thrown away
UNREAD_TIME = 0.5  # seconds that they may take to arrive
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})

log = logging.getLogger("choreoscope.web")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    stream: Callable[[Outflow], Coroutine[Any, Any, None]] | None = (
        None  # sends what follows, piece by piece
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One request; the body is read when it is asked for."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    protocol: Any
    limit: int

    async def body(self) -> bytes:
        """The body as it came. Raises Refused where it is too large or too slow."""
        whole = bytearray()

        async def add(piece: bytes) -> None:
            whole.extend(piece)
            if len(whole) > self.limit:
                raise too_large(self.limit)

        await self.arrive(add)
        return bytes(whole)

    async def arrive(self, add: Callable[[bytes], Awaitable[None]]) -> None:
        """Hand on each piece of the body as it comes. Raises Refused as `body` does."""
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self.limit:
            raise too_large(self.limit)
        try:
            async with asyncio.timeout(BODY_TIME):
                async for piece in self.protocol:
                    await add(piece)
        except TimeoutError:
            raise Refused(Why.TOO_SLOW, f"the body took more than {BODY_TIME:.0f} s") from None


Handler = Callable[[Call], Awaitable[Answer]]
Refusal = Callable[[Refused, str], Answer]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call."""

    token: str = ""  # empty = anybody
    reader: str = ""  # another one, which may only ask
    hosts: frozenset[str] = LOOPBACK  # names in the Host header; empty = any
    open_paths: frozenset[str] = frozenset({"/healthz", "/readyz"})

    def check(
        self, path: str, headers: Mapping[str, str], authority: str, method: str = "POST"
    ) -> None:
        """Raises Refused.

        A page in a browser can reach a loopback port under a name of its own (DNS rebinding);
        the Host header tells.
        """
        if self.hosts and _host(authority) not in self.hosts:
            raise Refused(Why.FOREIGN_HOST, f"Host {authority[:80]!r} is not served here")
        if self.token and path not in self.open_paths:
            given = headers.get("authorization", "")
            if _same(given, self.token):
                return
            if not (self.reader and _same(given, self.reader)):
                raise Refused(Why.NO_TOKEN, "send Authorization: Bearer TOKEN")
            if method not in ("GET", "HEAD"):
                raise Refused(Why.READ_ONLY, "this token may only read")


async def _unread(protocol: Any, headers: Mapping[str, str]) -> None:
    """Take in the rest of a body that nobody wants, where it is small.

    A connection with something unread is closed with the answer, and a client that still sends
    is told of the broken connection instead of the answer.
    """
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > UNREAD:
        return
    size = 0
    with suppress(Exception):  # late, or cut off, or it has been read before
        async with asyncio.timeout(UNREAD_TIME):
            async for piece in protocol:
                size += len(piece)
                if size > UNREAD:
                    return


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _host(authority: str) -> str:
    authority = authority.strip().lower()
    if authority.startswith("["):
        return authority[: authority.find("]") + 1]
    return authority.rsplit(":", 1)[0] if authority.count(":") == 1 else authority


@dataclass(slots=True)
class Web:
    """An RSGI application (the interface of granian)."""

    routes: dict[tuple[str, str], Handler]
    access: Access = field(default_factory=Access)
    limit: int = 64 << 20
    refusal: Refusal | None = None  # how a refusal is worded; as JSON where None
    unserved: Callable[[Refused], None] = lambda refused: None
    active: int = 0
    streams: set[asyncio.Future[None]] = field(default_factory=set)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        if scope.proto != "http":
            protocol.close(403)
            return
        self.active += 1
        try:
            answer = await self._answer(scope, protocol)
            headers = [("content-type", answer.type), *answer.headers]
            stream = None if scope.method == "HEAD" else answer.stream
            transport = None
            if stream is not None:
                transport = protocol.response_stream(answer.status, headers)
            elif scope.method == "HEAD" or not answer.body:
                protocol.response_empty(answer.status, headers)
            else:
                protocol.response_bytes(answer.status, headers, answer.body)
        finally:
            self.active -= 1  # a stream has no end: nobody waits for it
        if stream is not None:
            await self._stream(stream, Outflow(transport, scope.client))

    async def _stream(
        self, stream: Callable[[Outflow], Coroutine[Any, Any, None]], out: Outflow
    ) -> None:
        task = asyncio.ensure_future(stream(out))
        self.streams.add(task)
        try:
            with suppress(asyncio.CancelledError):
                await task
        finally:
            self.streams.discard(task)

    def end_streams(self) -> None:
        """No more is sent on any; called in the loop."""
        for task in self.streams:
            task.cancel()

    async def _answer(self, scope: Any, protocol: Any) -> Answer:
        headers = _headers(scope.headers)
        kind = headers.get("content-type", "")
        try:
            if sum(map(len, headers.values())) > MAX_HEADERS:
                raise Refused(Why.LARGE_HEADERS, f"more than {MAX_HEADERS} bytes of headers")
            authority = scope.authority or headers.get("host", "")
            self.access.check(scope.path, headers, authority, scope.method)
            handler = self._handler(scope.method, scope.path)
            query = dict(parse_qsl(scope.query_string, keep_blank_values=True))
            call = Call(scope.method, scope.path, query, headers, protocol, self.limit)
            return await handler(call)
        except Refused as refused:
            self.unserved(refused)
            found = self._refused(refused, kind, scope.path)
        except Exception:
            # a defect of ours: 503, since a client never sends again what got a 500
            log.exception("while answering %s", scope.path)
            found = self._refused(Refused(Why.UNAVAILABLE, "internal error"), kind, scope.path)
        await _unread(protocol, headers)
        return found

    def _handler(self, method: str, path: str) -> Handler:
        handler = self.routes.get(("GET" if method == "HEAD" else method, path))
        if handler is not None:
            return handler
        allowed = self._allowed(path)
        if not allowed:
            served = ", ".join(sorted({known for _, known in self.routes}))
            raise Refused(Why.UNKNOWN_PATH, f"nothing is at {path[:80]!r}; there are {served}")
        raise Refused(Why.WRONG_METHOD, f"{method} is not served here; {', '.join(allowed)} is")

    def _allowed(self, path: str) -> Sequence[str]:
        return sorted(method for method, known in self.routes if known == path)

    def _refused(self, refused: Refused, kind: str, path: str) -> Answer:
        answer = (self.refusal or json_refusal)(refused, kind)
        headers = list(answer.headers)
        if refused.why is Why.WRONG_METHOD:
            headers.append(("allow", ", ".join(self._allowed(path))))
        if refused.why is Why.NO_TOKEN:
            headers.append(("www-authenticate", "Bearer"))
        if refused.why.value.again:
            headers.append(("retry-after", "1"))
        return Answer(answer.status, answer.body, answer.type, tuple(headers))


def _headers(given: Any) -> dict[str, str]:
    """Headers by lower-case name; several of one name are joined, so that none hides."""
    found: dict[str, str] = {}
    for name, value in given.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def json_refusal(refused: Refused, kind: str) -> Answer:
    """A refusal for people and scripts."""
    import msgspec

    body = msgspec.json.encode({"code": refused.why.value.rpc, "message": refused.detail})
    return Answer(refused.why.value.http, body)
