"""All receivers of one process: started together, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from collectors.receivers.admission import Admission
from collectors.receivers.http_server import HttpServer, Listen
from collectors.receivers.otlp_grpc import GrpcReceiver, serve_grpc
from collectors.receivers.otlp_http import Routes, otlp_routes, status_refusal, zipkin_routes
from collectors.receivers.refusals import Refused
from collectors.receivers.secure import StartError, Tls, check_free
from collectors.receivers.web import LOOPBACK, Access, Handler, Refusal, Web

GRACE = 8.0  # seconds to answer what is in flight


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where to listen, and who may call; a port of None = not at all, 0 = any free one."""

    host: str = "127.0.0.1"
    grpc: int | None = 4317
    http: int | None = 4318
    zipkin: int | None = 9411
    api: int | None = None
    token: str = ""
    reader: str = ""  # a token that may only ask the API
    hosts: frozenset[str] = field(default_factory=frozenset)  # more names this host is called by
    tls: Tls | None = None

    def access(self) -> Access:
        """On loopback only its own names are answered; elsewhere the token decides."""
        names = LOOPBACK | self.hosts | {self.host}
        known = names if self.host in LOOPBACK or self.hosts else frozenset[str]()
        return Access(self.token, self.reader, known)


class Receivers:
    """Running receivers. `ports` tells what listens where."""

    def __init__(
        self,
        admission: Admission,
        endpoints: Endpoints,
        api: Mapping[tuple[str, str], Handler] | None = None,
    ) -> None:
        self.admission, self._endpoints = admission, endpoints
        self._grpc: GrpcReceiver | None = None
        self._http = HttpServer(self._listens(dict(api or {})), endpoints.tls)
        self.ports: dict[str, int] = {}

    def start(self) -> None:
        """Open every port. Raises StartError, and leaves none open."""
        points = self._endpoints
        if points.tls is not None:
            points.tls.check()
        try:
            self._http.start()
            self.ports = {one.what: one.port for one in self._http.listens}
            if points.grpc is not None:
                check_free(points.host, points.grpc, "OTLP/gRPC")
                address = f"{_bracketed(points.host)}:{points.grpc}"
                self._grpc = serve_grpc(self.admission, address, token=points.token, tls=points.tls)
                self.ports["OTLP/gRPC"] = self._grpc.port
        except StartError:
            self.stop(0.5)
            raise

    def stop(self, grace: float = GRACE) -> None:
        """Take no more, answer what is in flight, end."""
        if self._grpc is not None:
            self._grpc.stop(grace)
        self._http.stop(grace)

    def _listens(self, api: Routes) -> list[Listen]:
        points = self._endpoints
        wanted = (
            ("OTLP/HTTP", points.http, otlp_routes(self.admission), status_refusal),
            ("Zipkin", points.zipkin, zipkin_routes(self.admission), None),
            ("API", points.api, api, None),
        )
        return [
            Listen(what, points.host, port, self._web(routes, refusal))
            for what, port, routes, refusal in wanted
            if port is not None
        ]

    def _web(self, routes: Routes, refusal: Refusal | None) -> Web:
        def unserved(refused: Refused) -> None:
            self.admission.refused(refused)

        limit = self.admission.limit
        return Web(routes, self._endpoints.access(), limit, refusal, unserved)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
