"""Every kind of target, and what its configuration may say."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.alerts.targets.alertmanager import Alertmanager
from analyzer.alerts.targets.base import Target, TargetError
from analyzer.alerts.targets.chat import Apprise
from analyzer.alerts.targets.local import Exec, Stdout
from analyzer.alerts.targets.pagerduty import URL, PagerDuty
from analyzer.alerts.targets.slack import Slack
from analyzer.alerts.targets.webhook import Webhook

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of target: its settings and how it is made of them."""

    name: str
    help: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    make: Callable[[str, Mapping[str, Any]], Target]


KINDS: tuple[Kind, ...] = (
    Kind(
        "alertmanager",
        "Prometheus Alertmanager, API v2",
        ("url",),
        ("labels", "token"),
        lambda name, given: Alertmanager(
            name, given["url"], _pairs(name, given, "labels"), given.get("token", "")
        ),
    ),
    Kind(
        "pagerduty",
        "PagerDuty Events API v2",
        ("routing_key",),
        ("url",),
        lambda name, given: PagerDuty(name, given["routing_key"], given.get("url", URL)),
    ),
    Kind(
        "slack",
        "Slack incoming webhook, one digest",
        ("url",),
        (),
        lambda name, given: Slack(name, given["url"]),
    ),
    Kind(
        "webhook",
        "CloudEvents 1.0 over HTTP, signed with HMAC-SHA256",
        ("url",),
        ("secret", "headers"),
        lambda name, given: Webhook(
            name, given["url"], given.get("secret", ""), _pairs(name, given, "headers")
        ),
    ),
    Kind(
        "exec",
        "a program, the event as JSON on its standard input",
        ("argv",),
        ("timeout",),
        lambda name, given: Exec(name, _argv(name, given), _seconds(name, given)),
    ),
    Kind("stdout", "JSON lines on standard output", (), (), lambda name, _: Stdout(name)),
    Kind(
        "apprise",
        "any service of apprise (the extra 'apprise')",
        ("url",),
        (),
        lambda name, given: Apprise(name, given["url"]),
    ),
)


def _seconds(name: str, given: Mapping[str, Any]) -> float:
    told = given.get("timeout", 10.0)
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 < told <= DAY_S:
        raise TargetError(f"target {name}: timeout must be seconds above 0, not {told!r}")
    return float(told)


def target(name: str, settings: Mapping[str, Any]) -> Target:
    """The target of that name. Raises TargetError, which names the nearest word."""
    kind = _kind(name, settings)
    known = ("type", *kind.required, *kind.optional)
    for setting in settings:
        if setting not in known:
            raise TargetError(f"target {name}: unknown setting {_near(setting, known)}")
    for setting in kind.required:
        if not settings.get(setting):
            raise TargetError(f"target {name}: {kind.name} needs {setting!r}")
    for setting in known:
        value = settings.get(setting)
        text = setting in ("url", "token", "secret", "routing_key")
        if value is not None and text and not isinstance(value, str):
            raise TargetError(f"target {name}: {setting} must be a text")
    return kind.make(name, settings)


def _kind(name: str, settings: Mapping[str, Any]) -> Kind:
    names = [kind.name for kind in KINDS]
    said = settings.get("type")
    if said is None:
        raise TargetError(f"target {name}: say its type, one of {', '.join(names)}")
    for kind in KINDS:
        if kind.name == said:
            return kind
    raise TargetError(f"target {name}: unknown type {_near(str(said), names)}")


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return f"{word[:60]!r}; {hint}"


def _pairs(name: str, given: Mapping[str, Any], setting: str) -> tuple[tuple[str, str], ...]:
    found = given.get(setting, {})
    if not isinstance(found, Mapping) or not all(isinstance(v, str) for v in found.values()):
        raise TargetError(f"target {name}: {setting} must be a table of texts")
    return tuple(sorted((str(key), value) for key, value in found.items()))


def _argv(name: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    found = given["argv"]
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise TargetError(
            f'target {name}: argv must be a list of texts, such as ["notify", "--stdin"]'
        )
    return tuple(found)
