"""Receivers on free ports, with a store behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collectors.receivers.admission import Admission
from collectors.receivers.service import Endpoints, Receivers
from collectors.store.store import Store
from tests.store.requests import stored


@dataclass(frozen=True)
class Running:
    """What listens where."""

    receivers: Receivers
    store: Store
    folder: Path

    @property
    def http(self) -> str:
        """Base URL of OTLP over HTTP."""
        return f"http://127.0.0.1:{self.receivers.ports['OTLP/HTTP']}"

    @property
    def grpc(self) -> str:
        """Address of OTLP over gRPC."""
        return f"127.0.0.1:{self.receivers.ports['OTLP/gRPC']}"

    @property
    def zipkin(self) -> str:
        """Base URL of Zipkin."""
        return f"http://127.0.0.1:{self.receivers.ports['Zipkin']}"

    def names(self) -> list[str]:
        """The names of all spans that are stored."""
        return sorted(stored(self.folder).spans["name"].cast(str).to_list())


@contextmanager
def running(folder: Path, *, limit: int = 64 << 20, **points: object) -> Iterator[Running]:
    """Receivers with a store in `folder`."""
    with Store(folder, compacting=False) as store:
        chosen = Endpoints(**({"grpc": 0, "http": 0, "zipkin": 0} | points))  # type: ignore[arg-type]
        receivers = Receivers(Admission(store, limit), chosen)
        receivers.start()
        try:
            yield Running(receivers, store, folder)
        finally:
            receivers.stop(2.0)
