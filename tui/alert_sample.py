"""A sample alert for `alert test`: what would be sent, without secrets, or sending it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from analyzer.alerts.engine import Change, Event
    from analyzer.alerts.targets.base import Message, Target

MINUTE = 60_000_000_000
SECRETS = ("token", "secret", "routing_key")
HIDDEN = "(not shown)"


def sample(change: Change, now_ns: int) -> Event:
    """An event that says that it is a test."""
    from analyzer.alerts.engine import Alert, Event, Phase
    from analyzer.alerts.incident import Incident
    from analyzer.finding import Severity

    incident = Incident(
        key=f"choreoscope-test-{now_ns:x}",
        kind="test",
        cause="alert-test",
        severity=Severity.WARNING,
        workflow="test",
        service="choreoscope",
        step="alert test",
        summary="This is a test of choreoscope's alerts; nothing is wrong.",
        instances=1,
        since_ns=now_ns - MINUTE,
        examples=("test-1",),
        details=("sent by 'choreoscope alert test'",),
    )
    alert = Alert(incident, Phase.FIRING, now_ns - MINUTE, now_ns, now_ns, now_ns)
    return Event(change, alert, now_ns)


def send_sample(target: Target, *, link_local: bool) -> str:
    """Tell the target a test alert and its end; why that failed, empty where it did not."""
    from analyzer.alerts.delivery import deliver
    from analyzer.alerts.http import Later, Refusal
    from analyzer.alerts.targets.base import TargetError

    now = time.time_ns()
    try:
        deliver(target.message([sample("firing", now)]), link_local)
        deliver(target.message([sample("resolved", now)]), link_local)
    except (Later, Refusal, TargetError) as error:
        return str(error)
    return ""


def payload(target: Target, settings: Mapping[str, Any]) -> str:
    """What would be sent, as text. Raises Stop where a secret is not there."""
    from analyzer.alerts.targets.base import TargetError
    from tui.exits import Exit, Stop

    try:
        message = target.message([sample("firing", time.time_ns())])
        hidden = list(_secrets(settings))
    except TargetError as error:
        raise Stop(Exit.USAGE, f"target {target.name}: {error}") from None
    text = "".join(f"{line}\n" for line in _lines(message, settings))
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return f"# {target.name} ({settings.get('type')})\n{text}\n"


def _secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    """Every text that must not be printed: what is named so, and whatever was looked up."""
    from analyzer.alerts.targets.base import resolved

    values = [settings.get(name) for name in SECRETS]
    values += list((settings.get("headers") or {}).values())
    values += [v for v in settings.values() if isinstance(v, str) and resolved(v) != v]
    for value in values:
        if isinstance(value, str) and value:
            yield resolved(value)


def _lines(message: Message, settings: Mapping[str, Any]) -> Iterator[str]:
    from analyzer.alerts.http import Post
    from analyzer.alerts.targets.base import Notify, Print, Run

    if isinstance(message, Post):
        yield f"POST {_place(message.url, settings)}"
        yield from (f"{name}: {value}" for name, value in sorted(message.headers.items()))
        yield from ("", _pretty(message.body))
    elif isinstance(message, Run):
        yield f"run {json.dumps(message.argv)} with on its standard input:"
        yield _pretty(message.stdin)
    elif isinstance(message, Notify):
        yield from (f"apprise {urlsplit(message.url).scheme}://…", message.title, message.text)
    elif isinstance(message, Print):
        yield message.line


def _place(url: str, settings: Mapping[str, Any]) -> str:
    """The address; of one that is a secret itself, as Slack's are, the host only."""
    parts = urlsplit(url)
    bare = settings.get("type") == "slack" or parts.username or parts.query
    return f"{parts.scheme}://{parts.hostname}/{HIDDEN}" if bare else url


def _pretty(body: bytes) -> str:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=True)
