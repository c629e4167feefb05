"""What is sent piece by piece to one client, which may be slow: never more than so much waits.

The server takes whatever it is given into memory, and does not tell what the client has taken. The
system does: a connection with nothing unsent has been given everything.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

WAITING = 1 << 20  # bytes that wait for one client at the most, beside the one piece that is sent
PATIENCE_S = 10.0  # that they may wait
LOOK_S = 0.02
FILES = "/proc/self/fd"


class Closed(Exception):
    """The client has gone."""


class TooSlow(Exception):
    """The client does not take what it is sent; the connection is cut."""


class Outflow:
    """Sends to one client. `peer`: its address as HOST:PORT."""

    def __init__(
        self, transport: Any, peer: str, most: int = WAITING, patience_s: float = PATIENCE_S
    ) -> None:
        self._transport, self._most, self._patience_s = transport, most, patience_s
        host, _, port = peer.rpartition(":")
        self._peer = (host.strip("[]"), int(port) if port.isdigit() else 0)
        self._number = _number_of(self._peer)
        self._waiting = 0  # bytes sent since all had been taken

    async def send(self, data: bytes) -> None:
        """Send it when there is room. Raises Closed, TooSlow.

        Where the system does not tell what was taken, a stream is at most `most` long and then ends
        like one whose client has gone: a client that goes on where it was loses nothing.
        """
        await self._room(len(data))
        self._waiting += len(data)
        try:
            await self._transport.send_bytes(data)
        except Exception as error:  # the server names no class for it that can be imported
            raise Closed from error

    async def _room(self, size: int) -> None:
        until = time.monotonic() + self._patience_s
        while self._waiting and self._waiting + size > self._most:
            unsent = self._unsent()
            if unsent is None:
                raise Closed
            if not unsent:
                self._waiting = 0
            elif time.monotonic() > until:
                self._cut()
                raise TooSlow
            else:
                await asyncio.sleep(LOOK_S)

    def _unsent(self) -> int | None:
        """Bytes that the system holds for the client; None where it does not tell."""
        import fcntl
        import termios

        with _connection(self._number, self._peer) as found:
            if found is None:
                return None
            held = array.array("i", [0])
            fcntl.ioctl(found.fileno(), termios.TIOCOUTQ, held)
            return held[0]

    def _cut(self) -> None:
        """End the connection, and with it what waits for the client."""
        with _connection(self._number, self._peer) as found, suppress(OSError):
            if found is not None:
                found.shutdown(socket.SHUT_RDWR)


def _number_of(peer: tuple[str, int]) -> int:
    """The file of the connection to that client; -1 where it cannot be found."""
    if not sys.platform.startswith("linux"):
        return -1
    for name in os.listdir(FILES):
        with _connection(int(name), peer) as found:
            if found is not None:
                return int(name)
    return -1


@contextmanager
def _connection(number: int, peer: tuple[str, int]) -> Iterator[socket.socket | None]:
    """That file for a moment; None where it is not, or is no longer, a connection to that client.

    A copy, since the server may close its own at any time and the number go to another one.
    """
    found = _copy(number)
    if found is None:
        yield None
        return
    with found:
        yield found if _named(found) == peer else None


def _copy(number: int) -> socket.socket | None:
    try:
        copy = os.dup(number)
    except (OSError, OverflowError):  # closed meanwhile, or -1
        return None
    try:
        return socket.socket(fileno=copy)
    except OSError:  # no socket
        os.close(copy)
        return None


def _named(found: socket.socket) -> tuple[str, int] | None:
    try:
        host, port, *_ = found.getpeername()
    except (OSError, ValueError):  # not connected, or of another family
        return None
    return str(host).removeprefix("::ffff:"), int(port)
