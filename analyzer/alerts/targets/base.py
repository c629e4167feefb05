"""What a target is: it turns events into messages, and knows how many one message may hold."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from analyzer.alerts.engine import Event
from analyzer.alerts.http import Post
from analyzer.escape import escape


class TargetError(ValueError):
    """A target's configuration cannot be used; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Run:
    """A program to start: an argument list, never a shell; `stdin` is JSON."""

    argv: tuple[str, ...]
    stdin: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Print:
    """A line for standard output."""

    line: str


@dataclass(frozen=True, slots=True)
class Notify:
    """A text for a service that apprise knows."""

    url: str
    title: str
    text: str


Message = Post | Run | Print | Notify


class Target(Protocol):
    """One receiver, as configured."""

    @property
    def name(self) -> str:
        """Its name in the configuration, unique."""
        ...

    @property
    def batch(self) -> int:
        """Events that one message may hold."""
        ...

    @property
    def digests(self) -> bool:
        """Whether people read it, who want one message in a while."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether it forgets an alert that is not sent again."""
        ...

    def message(self, events: Sequence[Event]) -> Message:
        """The message for these events, 1 to `batch` of them."""
        ...


_REFERENCE = re.compile(r"\{(env|file):([^{}]+)\}")


SECRET = 64 << 10  # bytes of a file that a setting refers to


def resolved(text: str) -> str:
    """A setting with `{env:NAME}` and `{file:PATH}` replaced. Raises TargetError.

    Secrets stand in the environment or in files, and are looked up when they are needed.
    """

    def found(match: re.Match[str]) -> str:
        kind, name = match[1], match[2]
        if kind == "env":
            if name not in os.environ:
                raise TargetError(f"the environment variable {name} is not set")
            return os.environ[name]
        try:
            with Path(name).expanduser().open("rb") as file:
                data = file.read(SECRET + 1)
            if len(data) > SECRET:
                raise TargetError(f"{name} cannot be read: more than {SECRET:,} bytes")
            return data.decode().strip()
        except OSError as error:
            raise TargetError(f"{name} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise TargetError(f"{name} cannot be read: it is no UTF-8 text") from error
        except RuntimeError as error:
            raise TargetError(f"{name} cannot be read: {error}") from error

    return _REFERENCE.sub(found, text)


def rfc3339(ns: int) -> str:
    """A time in RFC 3339, to the millisecond."""
    moment = datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(text: str, most: int) -> str:
    """A foreign string for people: escaped, and cut with a mark."""
    safe = escape(text)
    return safe if len(safe) <= most else safe[: most - 1] + "…"


def headline(event: Event) -> str:
    """One line: what, where, how many."""
    incident = event.alert.incident
    count = f"{incident.instances:,} × " if incident.instances > 1 else ""
    place = " ".join(part for part in (incident.workflow, incident.step) if part)
    state = "RESOLVED" if event.change == "resolved" else incident.severity.upper()
    return f"{state}: {count}{incident.kind} {shown(place, 200)}".rstrip()


def body(event: Event) -> dict[str, object]:
    """An event as JSON, for scripts: names are stable."""
    alert, incident = event.alert, event.alert.incident
    return {
        "change": event.change,
        "key": incident.key,
        "kind": incident.kind,
        "cause": incident.cause,
        "severity": incident.severity.value,
        "workflow": incident.workflow,
        "service": incident.service,
        "step": incident.step,
        "owner": incident.owner,
        "summary": incident.summary,
        "instances": incident.instances,
        "examples": list(incident.examples),
        "details": list(incident.details),
        "since": rfc3339(incident.since_ns),
        "fired": rfc3339(alert.fired_ns or alert.first_ns),
        "at": rfc3339(event.at_ns),
    }
