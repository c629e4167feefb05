"""Two processes that serve: one receives and stores, one watches, alerts and answers.

The one that receives never waits for an analysis; the one that watches follows the store, and may
end and begin again without a span being lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui import telemetry
from tui.configuration import Configuration
from tui.exits import Exit, Stop
from tui.watcher import ANEW, Watcher

if TYPE_CHECKING:
    from analyzer.alerts.targets.base import Target
    from collectors.receivers.admission import Admission
    from collectors.receivers.service import Endpoints
    from collectors.store.store import Store

ALERTS = "alerts.db"
WORN_S = 5.0  # between two looks at how many names are remembered
MOST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Place:
    """Where the watcher finds everything."""

    folder: Path
    configuration: Configuration
    instance: str = ""  # the identity of this `serve` in its own telemetry


def endpoints(found: Configuration) -> Endpoints:
    """Where to listen. Raises Stop."""
    from collectors.receivers.secure import Tls
    from collectors.receivers.service import Endpoints

    tls = None
    if found["serve.certificate"] or found["serve.key"]:
        if not (found["serve.certificate"] and found["serve.key"]):
            raise Stop(Exit.USAGE, "TLS needs both serve.certificate and serve.key")
        clients = found["serve.clients"]
        tls = Tls(
            Path(found["serve.certificate"]),
            Path(found["serve.key"]),
            Path(clients) if clients else None,
        )
    if found["serve.reader"] and not found["serve.token"]:
        raise Stop(Exit.USAGE, "serve.reader needs serve.token: without it anybody may do anything")
    return Endpoints(
        host=found["serve.host"],
        grpc=_port(found, "serve.grpc"),
        http=_port(found, "serve.http"),
        zipkin=_port(found, "serve.zipkin"),
        token=secret(found["serve.token"]),
        reader=secret(found["serve.reader"], "serve.reader"),
        hosts=frozenset(found["serve.hosts"]),
        tls=tls,
    )


def _port(found: Configuration, name: str, least: int = -1) -> int | None:
    number: int = found[name]
    if least <= number <= MOST_PORT:
        return None if number < 0 else number
    origin = found.values[name].origin
    raise Stop(Exit.USAGE, f"{name} ({origin}) must be {least} to {MOST_PORT}, not {number}")


def secret(text: str, name: str = "serve.token") -> str:
    """A setting with its reference looked up. Raises Stop."""
    from analyzer.alerts.targets.base import TargetError, resolved

    try:
        return resolved(text)
    except TargetError as error:
        raise Stop(Exit.USAGE, f"{name}: {error}") from None


def targets(found: Configuration) -> list[Target]:
    """The alert targets. Raises Stop."""
    from analyzer.alerts.targets.base import TargetError
    from analyzer.alerts.targets.registry import target

    try:
        return [target(name, settings) for name, settings in sorted(found.targets.items())]
    except TargetError as error:
        raise Stop(Exit.USAGE, str(error)) from None


def check_references(found: Configuration) -> None:
    """An alert that would never go is said before anything begins. Raises Stop."""
    from analyzer.alerts.targets.base import TargetError, resolved

    for name, settings in sorted(found.targets.items()):
        for setting, value in settings.items():
            try:
                text = resolved(value) if isinstance(value, str) else ""
            except TargetError as error:
                raise Stop(Exit.USAGE, f"target {name}: {setting}: {error}") from None
            web = setting == "url" and settings.get("type") != "apprise"
            if web and not text.lower().startswith(("http://", "https://")):
                said = f"target {name}: url must begin with http:// or https://"
                raise Stop(Exit.USAGE, said)


def folder(found: Configuration) -> Path:
    """The store's folder."""
    import platformdirs

    if found["store.folder"]:
        return Path(found["store.folder"])
    return Path(platformdirs.user_data_dir("choreoscope")) / "store"


def serve(found: Configuration, told: Callable[[str], None]) -> int:
    """Receive and watch until SIGTERM or SIGINT. Raises Stop where something cannot start."""
    from collectors.receivers.admission import Admission
    from collectors.receivers.secure import StartError
    from collectors.receivers.service import Receivers
    from collectors.source import SourceError
    from collectors.store.retention import Retention
    from collectors.store.store import Store

    points = endpoints(found)
    _settings(found, targets(found))  # said here, not by the process that watches
    check_references(found)
    found.duration("alerts.digest")
    _port(found, "serve.api", least=0)
    keep = Retention(found.duration("store.keep"), found["store.bytes"])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        store = Store(folder(found), keep=keep)
    except SourceError as error:
        raise Stop(Exit.USAGE, str(error)) from None
    with store:
        name = telemetry.instance()
        end = telemetry.begin(found["telemetry.endpoint"], name)
        admission = Admission(store, found["serve.limit"], name)
        try:
            receivers = Receivers(admission, points)
            receivers.start()
        except StartError as error:
            raise Stop(Exit.USAGE, str(error)) from None
        watcher = Watcher(watch_over, Place(store.layout.folder, found, name))
        try:
            watcher.start(stopping.is_set)
            for what, port in receivers.ports.items():
                told(f"{what} on {points.host}:{port}")
            told(f"API on {points.host}:{found['serve.api']}")
            told(f"store in {store.layout.folder}")
            while not stopping.wait(0.5):
                watcher.care()
                _tell(store.layout.folder, admission, store)
        finally:
            receivers.stop()
            watcher.stop()
            end()
    return Exit.CLEAN


def _tell(folder: Path, admission: Admission, store: Store) -> None:
    """Leave the counts where the watcher finds them."""
    from analyzer.monitor.ingest import Ingest, leave

    counts = admission.counts
    found = Ingest(
        requests=counts.requests,
        spans=counts.spans,
        rejected=counts.rejected,
        bytes=counts.bytes,
        refused=dict(counts.refused),
        waiting_bytes=store.log.waiting,
        groups=store.log.groups,
        compactions=store.compactions,
        error=store.log.last_error or store.compaction_error,
    )
    with contextlib.suppress(OSError):  # a full disk: the store tells it too
        leave(folder, found)


def watch_over(place: Place, parent: int, word: Any) -> None:
    """Follow the store, look each second, alert, answer the API; ends with its parent.

    Ends with ANEW where it remembers more names than it is worth.
    """
    from analyzer.alerts.delivery import Deliverer
    from analyzer.alerts.outbox import Outbox, OutboxError
    from analyzer.escape import escape
    from analyzer.monitor.api import routes
    from analyzer.monitor.checkpoint import Checkpoints
    from analyzer.monitor.ingest import look
    from analyzer.monitor.monitor import Monitor
    from analyzer.monitor.wear import worn
    from collectors.receivers.http_server import HttpServer, Listen
    from collectors.receivers.secure import StartError
    from collectors.receivers.web import Web
    from collectors.store.layout import found as store_of
    from tui.terminal import note

    found = place.configuration
    chosen = targets(found)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us in its order
    end = telemetry.begin(found["telemetry.endpoint"], place.instance)
    try:
        outbox = Outbox(place.folder / ALERTS)
    except OutboxError as error:
        word.send(str(error))
        return
    checkpoints = Checkpoints(place.folder, store_of(place.folder).salt.hex())
    monitor = Monitor(place.folder, _settings(found, chosen), outbox, checkpoints=checkpoints)
    if checkpoints.told:
        note(f"the checkpoint cannot be used, all is read again: {escape(checkpoints.told)}")
    points = endpoints(found)
    web = Web(routes(monitor, outbox, lambda: look(place.folder)), points.access())
    server = HttpServer([Listen("API", points.host, found["serve.api"], web)], points.tls)
    try:
        server.start()
    except StartError as error:
        word.send(str(error))
        return
    word.send("")
    courier = Deliverer(
        outbox,
        chosen,
        link_local=found["alerts.allow_link_local"],
        digest_ns=found.duration("alerts.digest"),
    )
    courier.start()
    looking = threading.Thread(target=monitor.run, name="monitor", daemon=True)
    looking.start()
    anew, asked = False, time.monotonic()
    while not stopping.wait(0.5) and os.getppid() == parent and looking.is_alive():
        if time.monotonic() - asked > WORN_S and monitor.current is not None:
            asked = time.monotonic()
            recording = monitor.current.analysis.recording
            if anew := worn(recording, found["monitor.names"]):
                note("the process that watches begins anew, to forget names that nobody uses")
                break
    monitor.stop()
    courier.stop()
    server.stop(2.0)
    looking.join(60.0 if anew else 5.0)  # what it held is kept then
    outbox.close()
    end()
    if anew:
        sys.exit(ANEW)


def _settings(found: Configuration, chosen: Sequence[Target]) -> Any:
    from analyzer.alerts.engine import Timing
    from analyzer.finding import Severity
    from analyzer.monitor.monitor import Settings
    from analyzer.monitor.working_set import Limits
    from tui.declare import declare

    try:
        least = Severity(found["alerts.severity"])
    except ValueError:
        names = ", ".join(one.value for one in Severity)
        raise Stop(Exit.USAGE, f"alerts.severity must be one of {names}") from None
    return Settings(
        keys=tuple(found["monitor.keys"]),
        limits=Limits(
            grace_ns=found.duration("monitor.grace"),
            history=found["monitor.history"],
            spans=found["monitor.spans"],
        ),
        timing=Timing(
            wait=found.duration("alerts.for"),
            keep=found.duration("alerts.keep"),
            repeat=found.duration("alerts.repeat"),
        ),
        least=least,
        targets=tuple(one.name for one in chosen),
        silent_after_ns=found.duration("alerts.silent_after"),
        declared=declare(found["monitor.expect"] or None),
    )
