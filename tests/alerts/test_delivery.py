"""Every event is told at least once, through outages and restarts; no receiver can hurt us."""

from __future__ import annotations

import json
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from analyzer.alerts import http
from analyzer.alerts.delivery import Deliverer, deliver
from analyzer.alerts.http import Later, Post, Refusal, send
from analyzer.alerts.outbox import GIVE_UP_NS, Outbox
from analyzer.alerts.targets.local import Exec
from analyzer.alerts.targets.slack import Slack
from analyzer.alerts.targets.webhook import SIGNATURE, Webhook, signature
from tests.alerts.incidents import NOW, event
from tests.alerts.receiver import receiver

SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def subjects(got: list[tuple[str, dict[str, str], bytes]]) -> list[str]:
    bodies = [json.loads(body) for _, _, body in got]
    events = [one for body in bodies for one in (body if isinstance(body, list) else [body])]
    return [one["subject"] + ":" + one["data"]["change"] for one in events]


def test_an_outage_of_ten_minutes_loses_nothing(tmp_path: Path) -> None:
    """503 for ten minutes, then 200: told once, with the same key, in order."""
    clock = Clock()
    outbox = Outbox(tmp_path / "alerts.db")
    with receiver() as found:
        target = Webhook("hook", found.url)
        courier = Deliverer(outbox, [target], clock=clock)
        outbox.commit({}, [event("firing", "a")], ["hook"])
        found.status = 503
        for _ in range(60):
            courier.turn(target)
            clock.now += 10 * SECOND
        outbox.commit({}, [event("resolved", "a")], ["hook"])
        tries = len(found.got)
        assert 3 <= tries <= 12, "pauses grow"
        found.status, found.got = 200, []
        for _ in range(60):
            courier.turn(target)
            clock.now += 10 * SECOND
        assert sorted(subjects(found.got)) == ["a:firing", "a:resolved"]
    assert outbox.waiting() == {}
    outbox.close()


def test_a_decision_survives_the_process(tmp_path: Path) -> None:
    """Ended between decision and delivery: the next process delivers."""
    alerts = {"a": event().alert}
    first = Outbox(tmp_path / "alerts.db")
    first.commit(alerts, [event("firing", "a")], ["hook"])
    second = Outbox(tmp_path / "alerts.db")  # the first one never closed
    assert second.alerts() == alerts
    with receiver() as found:
        target = Webhook("hook", found.url)
        Deliverer(second, [target], clock=Clock()).turn(target)
        assert subjects(found.got) == ["a:firing"]
    assert not second.due("hook", NOW * 2, 10)


@pytest.mark.parametrize(
    ("headers", "least"),
    [({"Retry-After": "120"}, 119), ({"Retry-After": "DATE"}, 100), ({}, 0)],
)
def test_retry_after_is_honoured(tmp_path: Path, headers: dict[str, str], least: int) -> None:
    """429 with seconds, with a date, with nothing."""
    outbox, clock = Outbox(tmp_path / "a.db"), Clock()
    outbox.commit({}, [event()], ["hook"])
    with receiver() as found:
        found.status = 429
        found.headers = {
            name: formatdate(time.time() + 121, usegmt=True) if value == "DATE" else value
            for name, value in headers.items()
        }
        target = Webhook("hook", found.url)
        Deliverer(outbox, [target], clock=clock).turn(target)
        assert not outbox.due("hook", clock.now + (least - 1) * SECOND, 10)
        assert outbox.due("hook", clock.now + 3600 * SECOND, 10)


def test_a_refused_alert_does_not_hold_up_others(tmp_path: Path) -> None:
    """400 goes to the log as refused; the next alert is told."""
    outbox = Outbox(tmp_path / "a.db")
    with receiver() as bad, receiver() as good:
        bad.status = 400
        targets = [Webhook("bad", bad.url), Webhook("good", good.url)]
        outbox.commit({}, [event("firing", "a"), event("firing", "b")], ["bad", "good"])
        courier = Deliverer(outbox, targets, clock=Clock())
        for target in targets:
            courier.turn(target)
        assert outbox.waiting() == {}
        assert sorted(subjects(good.got)) == ["a:firing", "b:firing"]
    assert {(one.target, one.outcome) for one in outbox.log()} == {
        ("bad", "refused"),
        ("good", "delivered"),
    }


def test_what_is_too_old_is_given_up(tmp_path: Path) -> None:
    """After a day of outage an alert is dropped, and the log says so."""
    outbox, clock = Outbox(tmp_path / "a.db"), Clock()
    outbox.commit({}, [event()], ["hook"])
    clock.now += GIVE_UP_NS + SECOND
    with receiver() as found:
        found.status = 500
        target = Webhook("hook", found.url)
        Deliverer(outbox, [target], clock=clock).turn(target)
    assert outbox.waiting() == {}
    assert outbox.log()[0].outcome == "given-up"


def test_ten_thousand_at_once_are_few_requests(tmp_path: Path) -> None:
    """Batches: bounded in size and in number."""
    outbox = Outbox(tmp_path / "a.db")
    outbox.commit({}, [event("firing", f"k{n}") for n in range(2_000)], ["hook"])
    with receiver() as found:
        target = Webhook("hook", found.url)
        courier = Deliverer(outbox, [target], clock=Clock())
        while courier.turn(target):
            pass
        assert len(found.got) == 20
        assert len(set(subjects(found.got))) == 2_000


def test_redirects_are_not_followed() -> None:
    """The address is told instead."""
    with receiver() as found, receiver() as other:
        found.status, found.headers = 302, {"Location": other.url}
        with pytest.raises(Refusal, match="redirects are not followed"):
            send(Post(found.url, b"{}", {}))
        assert other.got == []


def test_an_endless_answer_is_not_read() -> None:
    """1 GB: 64 KB are looked at."""
    with receiver() as found:
        found.endless = True
        assert len(send(Post(found.url, b"{}", {}))) == http.READ
        assert found.sent < 64 << 20


def test_a_hanging_receiver_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the alert is tried again."""
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    with receiver() as found:
        found.hang = 2.0
        begin = time.monotonic()
        with pytest.raises(Later):
            send(Post(found.url, b"{}", {}))
        assert time.monotonic() - begin < 1.9


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fe80::1]/"])
def test_link_local_addresses_are_refused(url: str) -> None:
    """Where clouds keep their credentials."""
    with pytest.raises(Refusal, match="link-local"):
        send(Post(url, b"{}", {}))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x", "x", ""])
def test_other_addresses_are_refused(url: str) -> None:
    """http and https only."""
    with pytest.raises(Refusal, match="http"):
        send(Post(url, b"{}", {}))


def test_webhooks_are_signed() -> None:
    """HMAC-SHA256 over the body as it is sent."""
    with receiver() as found:
        deliver(Webhook("hook", found.url, secret="s3cret").message([event()]))
        _, headers, body = found.got[0]
    assert headers[SIGNATURE] == "sha256=" + signature("s3cret", body)
    assert json.loads(body)["specversion"] == "1.0"


def test_exec_gets_json_on_stdin(tmp_path: Path) -> None:
    """No shell: an argument list, the data on standard input."""
    goal = tmp_path / "got.json"
    code = f"import sys; open({str(goal)!r}, 'w').write(sys.stdin.read())"
    hostile = event("firing", "k", summary="$(touch /tmp/pwned) `id` ; rm -rf")
    deliver(Exec("run", (sys.executable, "-c", code)).message([hostile]))
    assert json.loads(goal.read_text())["summary"].startswith("$(touch")


CHILD = """
import fcntl, sys, time
held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)
held.write("alive")
held.flush()
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
time.sleep(600)
"""


def test_a_hanging_program_is_ended_with_its_children(tmp_path: Path) -> None:
    """The whole group: the lock of the child is free, which it is only where the child is gone."""
    fcntl = pytest.importorskip("fcntl")
    mark, patience = tmp_path / "alive", 0.7
    while not mark.exists() or not mark.read_text():  # it has to live before it can be ended
        command = (sys.executable, "-c", PARENT, CHILD, str(mark))
        with pytest.raises(Later, match="took more than"):
            deliver(Exec("run", command, timeout_s=patience).message([event()]))
        patience *= 2
    until = time.monotonic() + 60
    with mark.open() as file:
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.05)
    raise AssertionError("the child still runs")


def test_a_program_that_fails_or_is_missing(tmp_path: Path) -> None:
    """Failure is tried again; a program that is not there never will be."""
    code = "import sys; sys.stderr.write('broken'); sys.exit(3)"
    with pytest.raises(Later, match="ended with 3: broken"):
        deliver(Exec("run", (sys.executable, "-c", code)).message([event()]))
    with pytest.raises(Refusal, match="cannot be started"):
        deliver(Exec("run", (str(tmp_path / "nothing"),)).message([event()]))


def test_a_digest_in_an_interval(tmp_path: Path) -> None:
    """A chat gets all that changed as one message, once in an interval, also after a restart."""
    clock = Clock()
    outbox = Outbox(tmp_path / "alerts.db")
    with receiver() as found:
        target = Slack("chat", found.url)
        for second in range(0, 600, 10):
            outbox.commit({}, [event("firing", str(second))], ["chat"])
            courier = Deliverer(outbox, [target], digest_ns=300 * SECOND, clock=clock)
            courier.turn(target)
            clock.now += 10 * SECOND
        clock.now += 300 * SECOND
        courier.turn(target)
        texts = [json.loads(body)["text"] for _, _, body in found.got]
        assert texts[0].startswith("ERROR")
        assert texts[1:] == ["30 firing, 0 resolved", "29 firing, 0 resolved"]
        hook = Webhook("hook", found.url)
        found.got.clear()
        for key in ("a", "b"):
            outbox.commit({}, [event("firing", key)], ["hook"])
            Deliverer(outbox, [hook], digest_ns=300 * SECOND, clock=clock).turn(hook)
        assert len(found.got) == 2, "a machine is told at once"
    outbox.close()
