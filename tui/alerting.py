"""The alerts' book-keeping: in a store's folder, or of a running `serve` over its API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from analyzer.alerts.outbox import Outbox, OutboxError, Outcome
from analyzer.alerts.silences import Silence, silence_for
from tui.exits import Exit, Stop

T = TypeVar("T")
TIMEOUT = 10.0
MOST = 64 << 20  # bytes of an answer


class Desk(Protocol):
    """Where silences are kept and deliveries are logged. Every call may raise Stop."""

    def silences(self) -> list[Silence]:
        """All silences, also those that have ended."""
        ...

    def silence(self, match: Mapping[str, str], seconds: int, by: str, reason: str) -> Silence:
        """Begin one."""
        ...

    def unsilence(self, name: str) -> None:
        """End one."""
        ...

    def log(self, most: int) -> list[Outcome]:
        """The latest deliveries, newest first."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def wanted(words: Iterable[str], length: str) -> tuple[dict[str, str], int]:
    """(fields and globs, seconds) of FIELD=GLOB words and a duration such as "2h".

    Raises ValueError, which says what would be right.
    """
    from analyzer.reporters.units import parse_duration

    match = {}
    for word in words:
        name, sign, glob = word.partition("=")
        if not sign:
            raise ValueError(f"{word[:200]!r} is not FIELD=GLOB, e.g. workflow=order*")
        match[name] = glob
    return match, parse_duration(length) // 1_000_000_000


def user() -> str:
    """Who silences, where nobody is named."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user, as in a container
        return "unknown"


class Local:
    """The outbox in a store's folder, also while `serve` runs."""

    def __init__(self, folder: Path, name: str) -> None:
        from collectors.source import SourceError
        from collectors.store.layout import found

        try:
            self._outbox = Outbox(found(folder).folder / name)
        except (SourceError, OutboxError) as error:
            raise Stop(Exit.USAGE, str(error)) from None

    def silences(self) -> list[Silence]:
        """See `Desk`."""
        return self._outbox.silences()

    def silence(self, match: Mapping[str, str], seconds: int, by: str, reason: str) -> Silence:
        """See `Desk`."""
        try:
            made = silence_for(match, seconds, by, reason, time.time_ns())
        except ValueError as error:
            raise Stop(Exit.USAGE, str(error)) from None
        self._outbox.silence(made)
        return made

    def unsilence(self, name: str) -> None:
        """See `Desk`."""
        if not self._outbox.unsilence(name, time.time_ns()):
            raise Stop(Exit.USAGE, f"no silence {name[:40]!r} is in force")

    def log(self, most: int) -> list[Outcome]:
        """See `Desk`."""
        return self._outbox.log(most)

    def close(self) -> None:
        """See `Desk`."""
        self._outbox.close()


class _Alerts(msgspec.Struct):
    silences: list[Silence]
    log: list[Outcome]


class Remote:
    """A running `serve`."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/"), token

    def silences(self) -> list[Silence]:
        """See `Desk`."""
        return self._alerts(1).silences

    def log(self, most: int) -> list[Outcome]:
        """See `Desk`."""
        return self._alerts(most).log

    def silence(self, match: Mapping[str, str], seconds: int, by: str, reason: str) -> Silence:
        """See `Desk`."""
        wanted = {"match": dict(match), "seconds": seconds, "by": by, "reason": reason}
        said = self._ask("POST", "/api/v1/silences", msgspec.json.encode(wanted))
        return self._read(lambda: msgspec.json.decode(said, type=Silence))

    def unsilence(self, name: str) -> None:
        """See `Desk`."""
        from urllib.parse import quote

        self._ask("DELETE", f"/api/v1/silences?id={quote(name)}")

    def close(self) -> None:
        """See `Desk`."""

    def _alerts(self, most: int) -> _Alerts:
        said = self._ask("GET", f"/api/v1/alerts?limit={most}")
        return self._read(lambda: msgspec.json.decode(said, type=_Alerts))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        import urllib3

        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        timeout = urllib3.Timeout(total=TIMEOUT)
        try:
            answer: Any = urllib3.request(
                method, self._url + path, body=body, headers=headers, timeout=timeout,
                retries=False, redirect=False, preload_content=False,
            )  # fmt: skip
            said: bytes = answer.read(MOST)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise Stop(Exit.USAGE, f"{self._url} does not answer: {error}") from None
        if not 200 <= answer.status < 300:
            raise Stop(Exit.USAGE, f"{self._url}: HTTP {answer.status}: {_message(said)}")
        return said

    def _read(self, decode: Callable[[], T]) -> T:
        try:
            return decode()
        except msgspec.MsgspecError as error:
            raise Stop(Exit.USAGE, f"{self._url} is no choreoscope: {error}") from None


def _message(said: bytes) -> str:
    try:
        return str(msgspec.json.decode(said)["message"])[:300]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return said[:200].decode(errors="replace")
