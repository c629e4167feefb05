"""What each target is sent: its own format, its limits, nothing foreign raw."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analyzer.alerts.http import Post
from analyzer.alerts.targets.alertmanager import Alertmanager, label_name
from analyzer.alerts.targets.base import Print, TargetError, resolved
from analyzer.alerts.targets.local import Stdout
from analyzer.alerts.targets.pagerduty import PagerDuty
from analyzer.alerts.targets.registry import KINDS, target
from analyzer.alerts.targets.slack import Slack
from tests.alerts.incidents import event
from tests.support.hostile import HOSTILE, raw_controls


def posted(message: object) -> Any:
    assert isinstance(message, Post)
    return json.loads(message.body)


def test_alertmanager_labels_are_the_identity() -> None:
    """Few and without ids; instances stand in annotations; resolved ends now."""
    manager = Alertmanager("am", "http://x/", labels=(("team-name", "stock"),))
    firing, resolved_ = posted(manager.message([event(), event("resolved")]))
    assert firing["labels"] == resolved_["labels"]
    assert firing["labels"]["team_name"] == "stock"
    assert "ord-1" not in json.dumps(firing["labels"])
    assert "ord-1" in firing["annotations"]["examples"]
    assert resolved_["endsAt"] < firing["endsAt"]
    assert manager.repeats


@pytest.mark.parametrize(("text", "name"), [("a.b-c", "a_b_c"), ("9x", "_9x"), ("ok_1", "ok_1")])
def test_label_names_are_made_valid(text: str, name: str) -> None:
    """Prometheus allows letters, digits and underscores."""
    assert label_name(text) == name


def test_pagerduty_keeps_one_incident() -> None:
    """The key is the dedup_key; resolved has no payload; the summary fits."""
    duty = PagerDuty("pd", "key")
    firing = posted(duty.message([event(summary="x" * 5000, workflow="y" * 3000)]))
    done = posted(duty.message([event("resolved")]))
    assert firing["dedup_key"] == done["dedup_key"]
    assert (firing["event_action"], done["event_action"]) == ("trigger", "resolve")
    assert len(firing["payload"]["summary"]) <= 1024
    assert len(json.dumps(firing)) < 500_000
    assert "payload" not in done


def test_slack_sends_one_digest_within_its_limits() -> None:
    """A thousand alerts: at most 50 blocks of 3,000 characters, and the rest counted."""
    found = posted(Slack("s", "http://x").message([event("firing", str(n)) for n in range(1000)]))
    assert len(found["blocks"]) <= 50
    assert all(len(block["text"]["text"]) <= 3000 for block in found["blocks"])
    assert "990 more" in json.dumps(found)


def test_slack_mentions_nobody() -> None:
    """`<!channel>` and `<@U123>` in a span's name are inert."""
    text = json.dumps(posted(Slack("s", "http://x").message([event(summary="<!channel> <@U1>")])))
    assert "<!" not in text
    assert "<@" not in text


@pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))
def test_hostile_names_are_inert(name: str) -> None:
    """Every target, every field that people read: no raw control character."""
    hostile = event(
        summary=name, workflow=name, service=name, step=name, examples=(name,), details=(name,)
    )
    for made in (Alertmanager("a", "http://x"), PagerDuty("p", "k"), Slack("s", "http://x")):
        for text in _texts(posted(made.message([hostile]))):
            assert not raw_controls(text.replace("\n", "").replace("\u2060", "")), text
    line = Stdout("o").message([hostile])
    assert isinstance(line, Print)
    assert line.line.isascii()
    assert line.line.isprintable()


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def test_secrets_are_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up when they are needed, and never printed."""
    monkeypatch.setenv("SLACK_URL", "http://secret")
    slack = target("s", {"type": "slack", "url": "{env:SLACK_URL}"})
    message = slack.message([event()])
    assert isinstance(message, Post)
    assert message.url == "http://secret"
    assert "SLACK_URL" not in repr(slack)
    with pytest.raises(TargetError, match="NOPE is not set"):
        resolved("{env:NOPE}")
    with pytest.raises(TargetError, match="cannot be read"):
        resolved("{file:/no/such/file}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "say its type"),
        ({"type": "slak"}, "did you mean 'slack'"),
        ({"type": "slack"}, "needs 'url'"),
        ({"type": "slack", "url": "x", "chanel": 1}, "unknown setting 'chanel'"),
        ({"type": "slack", "url": 7}, "url must be a text"),
        ({"type": "exec", "argv": "rm -rf /"}, "argv must be a list"),
        ({"type": "webhook", "url": "x", "headers": "a"}, "headers must be a table"),
    ],
)
def test_errors_say_what_would_be_right(settings: dict[str, Any], said: str) -> None:
    """The target, the word, the nearest one."""
    with pytest.raises(TargetError, match=said):
        target("mine", settings)


def test_every_kind_can_be_made() -> None:
    """With its required settings alone."""
    for kind in KINDS:
        given: dict[str, Any] = dict.fromkeys(kind.required, "x")
        if "argv" in given:
            given["argv"] = ["true"]
        assert target("mine", {"type": kind.name, **given}).name == "mine"
