"""Runs web applications in an event loop of their own, in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collectors.receivers.secure import StartError, Tls, check_free
from collectors.receivers.web import Web

START = 10.0  # seconds
BACKLOG = 1024
HEADERS = 64 << 10  # bytes of all headers of a request


@dataclass(frozen=True, slots=True)
class Listen:
    """Where one application listens; port 0 = any free one."""

    what: str
    host: str
    port: int
    web: Web


class HttpServer:
    """The applications' server."""

    def __init__(self, listens: Sequence[Listen], tls: Tls | None = None) -> None:
        self._listens = [self._placed(one) for one in listens]
        self._tls = tls
        self._servers: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def listens(self) -> list[Listen]:
        """The applications, each with the port it has."""
        return self._listens

    def start(self) -> None:
        """Returns when all ports are open. Raises StartError."""
        for one in self._listens:
            check_free(one.host, one.port, one.what)
        self._thread.start()
        until = time.monotonic() + START
        for one in self._listens:
            while not _open(one.host, one.port):
                if self._failed is not None or time.monotonic() > until:
                    raise StartError(
                        f"{one.what} does not listen on {one.host}:{one.port}: {self._failed}"
                    )
                time.sleep(0.01)

    def stop(self, grace: float) -> None:
        """Answer what is in flight for at most `grace` seconds, then end."""
        if not self._thread.is_alive():
            return
        until = time.monotonic() + grace
        while any(one.web.active for one in self._listens) and time.monotonic() < until:
            time.sleep(0.01)
        for one in self._listens:
            self._loop.call_soon_threadsafe(one.web.end_streams)
        for server in self._servers:
            self._loop.call_soon_threadsafe(server.stop)
        self._thread.join(max(1.0, until - time.monotonic()))

    def _placed(self, one: Listen) -> Listen:
        if one.port:
            return one
        return Listen(one.what, one.host, check_free(one.host, 0, one.what), one.web)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._failed = error
        finally:
            with contextlib.suppress(Exception):
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _serve(self) -> None:
        self._servers = [self._server(one) for one in self._listens]
        await asyncio.gather(*(server.serve() for server in self._servers))

    def _server(self, one: Listen) -> Any:
        from granian.constants import HTTPModes
        from granian.http import HTTP1Settings
        from granian.server.embed import Server

        tls: dict[str, Any] = {}
        if self._tls is not None:
            tls = {"ssl_cert": self._tls.certificate, "ssl_key": self._tls.key}
            if self._tls.clients is not None:
                tls |= {"ssl_ca": self._tls.clients, "ssl_client_verify": True}
        return Server(
            one.web,
            address=one.host,
            port=one.port,
            http=HTTPModes.auto,
            websockets=False,
            backlog=BACKLOG,
            backpressure=BACKLOG,
            log_enabled=False,
            http1_settings=HTTP1Settings(max_buffer_size=HEADERS),
            **tls,
        )


def _open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.2):
            return True
    except OSError:
        return False
