"""Serves the dashboard to a browser on this machine: a process for each page that is open."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from textual_serve.server import Server

from tui.terminal import note

HOST = "127.0.0.1"
NAMES = (HOST, "localhost", "[::1]")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BrowserServer(Server):
    """textual-serve with a page that fetches nothing from elsewhere, for this machine alone."""

    def __init__(self, arguments: Sequence[str], port: int) -> None:
        command = shlex.join([sys.executable, "-m", "tui.cli", *arguments])
        super().__init__(command, HOST, port, "choreoscope", templates_path=Path(__file__).parent)

    async def on_startup(self, app: web.Application) -> None:
        """It would tell before it listens."""

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises OSError where the port is in use."""
        said = f"the dashboard is on {self.public_url} (ctrl+c ends it)"
        web.run_app(self._make_app(), host=HOST, port=self.port, print=lambda *_: note(said))

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard())
        return app

    def _guard(self) -> Any:
        """Another site's page could reach a port of this machine; it may not read traces by it."""
        hosts = {f"{name}:{self.port}" for name in NAMES}

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            if request.host not in hosts or origin not in (None, f"http://{request.host}"):
                raise web.HTTPForbidden(text="only for pages of this server")
            return await handler(request)

        return guard


def serve(arguments: Sequence[str], port: int) -> None:
    """Run until SIGINT or SIGTERM. `arguments`: of `choreoscope`. Raises OSError where the port is
    in use."""
    BrowserServer(arguments, port).run()
