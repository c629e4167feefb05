"""OTLP over gRPC: the trace service, on bytes."""

from __future__ import annotations

import hmac
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from collectors.envelope import sized
from collectors.receivers.admission import Admission
from collectors.receivers.otlp_http import response, status_bytes
from collectors.receivers.refusals import Refused, Why
from collectors.receivers.secure import StartError, Tls
from collectors.store.frames import Kind
from collectors.unpack import GZIP

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
THREADS = 32  # calls that wait for the disk at once; the others queue
RETRY = "type.googleapis.com/google.rpc.RetryInfo"
PLAIN, GZIPPED = 1 << 0, 1 << 2  # grpc_compression_algorithm; no OTLP exporter sends deflate
CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class GrpcReceiver:
    """A running server."""

    server: grpc.Server
    port: int

    def stop(self, grace: float) -> None:
        """Take no more, answer what is in flight, end."""
        self.server.stop(grace).wait(grace)


def serve_grpc(
    admission: Admission, address: str, *, token: str = "", tls: Tls | None = None
) -> GrpcReceiver:
    """Listen on `host:port`. Raises StartError."""
    server = grpc.server(
        ThreadPoolExecutor(THREADS, "otlp-grpc"),
        handlers=[_handlers(admission, token)],
        options=[
            ("grpc.so_reuseport", 0),  # else a second process takes half of the calls, silently
            ("grpc.max_receive_message_length", admission.limit),
            ("grpc.max_metadata_size", 16 << 10),
            ("grpc.http2.max_ping_strikes", 0),
            # messages come as they were sent: grpc would unpack each up to the limit, at once
            ("grpc.per_message_decompression", 0),
            ("grpc.compression_enabled_algorithms_bitset", PLAIN | GZIPPED),
        ],
    )
    try:
        port = (
            server.add_secure_port(address, tls.grpc())
            if tls
            else server.add_insecure_port(address)
        )
    except RuntimeError as error:
        raise StartError(f"gRPC cannot listen on {address}: is the port taken?") from error
    server.start()
    return GrpcReceiver(server, port)


def _handlers(admission: Admission, token: str) -> grpc.GenericRpcHandler:
    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            _authorise(context, token)
            # no protobuf begins so: 0x1f would be a field of type 7, which there is not
            packed = "gzip" if body.startswith(GZIP) else ""
            return response(admission.patiently(Kind.OTLP_PROTOBUF, body, packed))
        except Refused as refused:
            admission.refused(refused)
            _abort(context, refused)
            raise

    method: Any = grpc.unary_unary_rpc_method_handler(export)
    return grpc.method_handlers_generic_handler(SERVICE, {"Export": method})


def _authorise(context: grpc.ServicerContext, token: str) -> None:
    if not token:
        return
    given = dict(context.invocation_metadata()).get("authorization", "")
    if not hmac.compare_digest(str(given).encode(), f"Bearer {token}".encode()):
        raise Refused(Why.NO_TOKEN, "send the metadata authorization: Bearer TOKEN")


def _abort(context: Any, refused: Refused) -> None:
    status = refused.why.value
    if status.again:
        delay = sized(0x0A, b"\x08\x01")  # RetryInfo.retry_delay: one second
        detail = sized(0x1A, sized(0x0A, RETRY.encode()) + sized(0x12, delay))
        whole = status_bytes(status.rpc, refused.detail) + detail
        context.set_trailing_metadata((("grpc-status-details-bin", whole),))
    context.abort(CODES[status.rpc], refused.detail)
