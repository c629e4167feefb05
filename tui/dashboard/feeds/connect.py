"""Shows what a running `choreoscope serve` sees."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tui.dashboard.feed import Phase, Snapshot
from tui.dashboard.feeds.fresh import Fresh
from tui.dashboard.feeds.threaded import FeedError, Threaded

if TYPE_CHECKING:
    import urllib3

    from analyzer.monitor.transfer import Read
    from tui.alerting import Desk

CONNECT_S = 5.0
ANSWER_S = 30.0  # a look of a million instances takes its time
WAIT_S = 1  # that the server holds a question back; longer would delay the end
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
BLIND_S = 15.0  # without a look of the server, which looks each second or two
LARGEST = 2 << 30  # bytes of an answer, unpacked


class Lost(Exception):
    """The server is not reached, or cannot answer at present."""


class ConnectFeed(Threaded):
    """Asks a server for its looks. Raises FeedError where the address cannot be one."""

    def __init__(self, url: str, token: str = "", refresh_s: float = 1.0) -> None:
        self._url = checked(url)
        super().__init__(self._url)
        self._headers = {"accept-encoding": "zstd"}
        self._token = token
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._refresh_s = refresh_s
        self._session, self._seen = "", -1
        self._generation = 0
        self._looked = 0.0  # when the server last had something new
        self._fresh = Fresh()
        self._pool_: urllib3.PoolManager | None = None

    def instance(self, identifier: str) -> Mapping[str, Any]:
        """One instance as a document."""
        import msgspec

        query = urlencode({"id": identifier}, errors="backslashreplace")
        try:
            status, body = self._get(f"/api/v1/instance?{query}")
        except Lost as error:
            raise ConnectionError(str(error)) from error
        if status == 404:
            raise LookupError(_message(body))
        if status != 200:
            raise ConnectionError(f"{self._url}: HTTP {status}: {_message(body)}")
        found: dict[str, Any] = msgspec.json.decode(body)["instance"]
        return found

    def desk(self) -> Callable[[], Desk] | None:
        """Silences are the server's; it says whether we may."""
        return lambda: _remote(self._url, self._token)

    def work(self) -> None:
        """Ask until stopped."""
        failures = 0
        while not self.stopping.is_set():
            try:
                if not self._ask():
                    continue
                failures = 0
                pause = max(self._refresh_s - WAIT_S, 0.2)
            except Lost as error:
                failures += 1
                pause = _pause(failures)
                said = f"{error}; tries again in {pause:.0f} s"
                self.show(phase=Phase.DISCONNECTED, message=said, spans_per_s=None)
            self.stopping.wait(pause)

    def _ask(self) -> bool:
        """Show the next look; False where there is none yet. Raises Lost, FeedError."""
        asked = {"after": self._seen, "session": self._session, "wait": WAIT_S}
        status, body = self._get(f"/api/v1/look?{urlencode(asked) if self._session else ''}")
        if status == 204:
            self._tell_age()
            return False
        if status == 200:
            self._show(body)
            return True
        said = f"HTTP {status}: {_message(body)}"
        if status == 503:
            raise Lost(f"{self._url} is not ready: {_message(body)}")
        if status in (401, 403):
            raise FeedError(f"{self._url} does not let us in: {said}")
        if self.snapshot is not None or status in (502, 504):
            raise Lost(f"{self._url}: {said}")
        raise FeedError(
            f"{self._url} is not the API of a choreoscope that this one can read: {said}"
        )

    def _show(self, body: bytes) -> None:
        from analyzer.monitor.transfer import Unusable, decoded

        try:
            read = decoded(body)
        except Unusable as error:
            raise FeedError(f"{self._url}: {error}") from error
        self._generation += 1
        message = read.message
        self._looked = time.monotonic()
        self._session, self._seen = message.session, message.generation
        self._fresh.seen(message.spans, message.latest_ns, message.at_ns)
        phase, said = self._fresh.phase(message.at_ns)
        self.show(
            snapshot_of(read, self._generation),
            phase=phase,
            message=said,
            progress=None,
            spans_per_s=None if "spans_per_s" in read.unsaid else message.spans_per_s,
            lag_s=None if "lag_s" in read.unsaid else message.lag_s,
            dropped=message.lost,
            memory_bytes=message.memory_bytes,
        )

    def _tell_age(self) -> None:
        """The server answers, but has not looked again."""
        still = time.monotonic() - self._looked
        if still > BLIND_S:
            said = f"the server has not looked at its spans for {still:.0f} s"
            self.show(phase=Phase.STALE, message=said)
        elif self.status.phase is Phase.DISCONNECTED:
            self.show(phase=Phase.LIVE, message="")

    def _get(self, path: str) -> tuple[int, bytes]:
        """(status, body unpacked). Raises Lost."""
        import urllib3

        from collectors.receivers.bodies import unpacked
        from collectors.receivers.refusals import Refused

        try:
            answer = self._pool().request(
                "GET", self._url + path, headers=self._headers, redirect=False,
                preload_content=False,
            )  # fmt: skip
            try:
                body = answer.read(decode_content=False)
            finally:
                answer.release_conn()
            packing = answer.headers.get("content-encoding", "")
            return answer.status, unpacked(body, packing, LARGEST)
        except urllib3.exceptions.HTTPError as error:
            raise Lost(f"{self._url} is not reached: {_reason(error)}") from error
        except Refused as error:
            raise Lost(f"{self._url}: {error}") from error

    def _pool(self) -> urllib3.PoolManager:
        if self._pool_ is None:
            import urllib3

            timeout = urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S)
            self._pool_ = urllib3.PoolManager(retries=False, timeout=timeout)
        return self._pool_


def _remote(url: str, token: str) -> Desk:
    from tui.alerting import Remote

    return Remote(url, token)


def checked(url: str) -> str:
    """The server's address without a slash at its end. Raises FeedError."""
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError as error:
        raise FeedError(f"{url!r} is no address: {error}") from error
    if found.scheme not in ("http", "https") or not found.hostname or port == 0:
        raise FeedError(f"{url!r} is no address; write one such as http://127.0.0.1:4320")
    if found.username or found.password:
        raise FeedError("a password does not belong into the address; use --token")
    if found.query or found.fragment:
        raise FeedError(f"{url!r} has more than host, port and path")
    return url.rstrip("/")


SAME = ("workflows", "findings", "hotspots", "data_notes", "key_suggestions", "conformance",
        "alerts", "silences", "deliveries", "overflow")  # fmt: skip


def snapshot_of(read: Read, generation: int) -> Snapshot:
    """What the screens are shown of a message."""
    message = read.message
    fields: dict[str, Any] = {name: getattr(message, name) for name in SAME}
    fields.update(read.frames)
    return Snapshot(
        generation=generation,
        at_ns=message.at_ns,
        as_of_ns=message.as_of_ns,
        finished={(workflow, state): count for workflow, state, count in message.finished},
        unsaid=read.unsaid,
        **fields,
    )


def _message(body: bytes) -> str:
    """What a refusal says."""
    import msgspec

    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        found = None
    said = found.get("message") if isinstance(found, dict) else None
    return str(said if said is not None else body[:200].decode(errors="replace"))[:500]


def _reason(error: Exception) -> str:
    """The last of a chain of reasons, which is the one that helps."""
    inner = getattr(error, "reason", None)
    while isinstance(inner, Exception):
        error, inner = inner, getattr(inner, "reason", None)
    said = str(error)
    refused = said.rpartition("[Errno ")[2].partition("] ")[2]  # what the system said
    return (refused or said.rpartition("object at ")[2] or said)[:200]


def _pause(failures: int) -> float:
    """Seconds: doubled each time, with a jitter of a quarter."""
    base = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_S)
    return base * random.uniform(0.75, 1.25)
