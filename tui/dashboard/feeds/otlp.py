"""Receives OTLP by itself, and shows it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tui.dashboard.feeds.monitored import Watching
from tui.dashboard.feeds.store import StoreFeed
from tui.dashboard.feeds.threaded import FeedError

if TYPE_CHECKING:
    from analyzer.monitor.monitor import Look

HOST = "127.0.0.1"
SCRATCH = 1 << 30  # bytes of Parquet kept where nothing is to be kept
GRACE_S = 0.5  # to answer what is in flight


class OtlpFeed(StoreFeed):
    """Receivers before a store of its own, which is followed.

    The ports are open when this returns. Raises FeedError where one is taken, or the store is.
    """

    def __init__(
        self,
        port: int,
        store: str | None = None,
        watching: Watching = Watching(),  # noqa: B008 - frozen
    ) -> None:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its log would be written onto the screen
        from collectors.receivers.admission import Admission
        from collectors.receivers.secure import StartError
        from collectors.receivers.service import Endpoints, Receivers
        from collectors.source import SourceError
        from collectors.store.retention import Retention
        from collectors.store.store import Store

        self._scratch = TemporaryDirectory(prefix="choreoscope-", ignore_cleanup_errors=True)
        folder = Path(store or self._scratch.name)
        try:
            self._store = Store(folder, keep=Retention(bytes=0 if store else SCRATCH))
        except SourceError as error:
            raise FeedError(str(error)) from error
        self._admission = Admission(self._store)
        http = port + 1 if port else 0
        points = Endpoints(host=HOST, grpc=port, http=http, zipkin=None)
        self._receivers = Receivers(self._admission, points)
        try:
            self._receivers.start()
        except StartError as error:
            self._store.close()
            raise FeedError(str(error)) from error
        self._releasing, self._released = threading.Lock(), False
        ports = self._receivers.ports
        super().__init__(folder, watching, f"otlp :{ports['OTLP/gRPC']}", endpoints(ports))

    def lost(self, look: Look) -> int:
        """Also whole requests that were refused."""
        return super().lost(look) + sum(self._admission.counts.refused.values())

    def release(self) -> None:
        """Close the ports, then the store; again it does nothing."""
        with self._releasing:
            if not self._released:
                self._receivers.stop(GRACE_S)
                self._store.close()
                self._scratch.cleanup()
            self._released = True


def endpoints(ports: dict[str, int]) -> tuple[str, ...]:
    """What a service has to be told, as lines for its environment."""
    grpc, http = ports["OTLP/gRPC"], ports["OTLP/HTTP"]
    return (
        f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{HOST}:{grpc} OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
        f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{HOST}:{http} "
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    )
