"""Certificates, and what keeps a receiver from starting."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class StartError(Exception):
    """A receiver cannot start; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form; with `clients`, callers must show a certificate of that authority."""

    certificate: Path
    key: Path
    clients: Path | None = None

    def check(self) -> None:
        """Raises StartError where a file cannot be read, or key and certificate do not match."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.clients is not None:
                context.load_verify_locations(self.clients)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(f) for f in (self.certificate, self.key, self.clients) if f)
            raise StartError(f"TLS cannot use {files}: {error}") from error

    def grpc(self) -> Any:
        """The credentials of a gRPC server."""
        import grpc

        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        clients = self.clients.read_bytes() if self.clients else None
        return grpc.ssl_server_credentials([pair], clients, clients is not None)


HINTS = {
    errno.EADDRINUSE: "; end the process that has it, or choose another port",
    errno.EACCES: "; choose a port above 1023",
    errno.EADDRNOTAVAIL: "; it is no address of this machine",
    socket.EAI_NONAME: "; it is no address of this machine",
}


def check_free(host: str, port: int, what: str) -> int:
    """The port, for 0 one that is free; servers that share ports would not notice one that is not.

    Raises StartError.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            free: int = probe.getsockname()[1]
            return free
    except OSError as error:
        hint = HINTS.get(error.errno or 0, "")
        raise StartError(
            f"{what} cannot listen on {host}:{port}: {error.strerror or error}{hint}"
        ) from error
