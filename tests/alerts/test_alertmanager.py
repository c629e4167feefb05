"""The real Alertmanager takes what is sent, knows one alert for one incident, and sees it end."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from analyzer.alerts.delivery import Deliverer, deliver
from analyzer.alerts.engine import Alert, Change, Event, Phase
from analyzer.alerts.outbox import Outbox
from analyzer.alerts.targets.alertmanager import Alertmanager
from tests.alerts.incidents import incident
from tests.alerts.receiver import Receiver, receiver

SECOND = 1_000_000_000
PROGRAMS = ("prometheus-alertmanager", "alertmanager")  # as Debian calls it, and as upstream does
CONFIGURATION = """
route:
  receiver: hook
  group_by: [alertname, workflow, step]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}/hook
        send_resolved: true
"""


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def manager(tmp_path: Path, hook: Receiver) -> Iterator[str]:
    """An Alertmanager of this test's own, on loopback."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Alertmanager here; apt-get install prometheus-alertmanager")
    (tmp_path / "am.yml").write_text(CONFIGURATION.format(url=hook.url))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "am.log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={tmp_path / 'am.yml'}",
                f"--storage.path={tmp_path / 'am'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 60
    while not _ready(url):
        assert time.monotonic() < until, (tmp_path / "am.log").read_text()
        time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(60)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def told(change: Change, key: str = "k", **changes: Any) -> Event:
    now = time.time_ns()
    alert = Alert(incident(key, **changes), Phase.FIRING, now - 60 * SECOND, now, now, now)
    return Event(change, alert, now)


def alerts(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/alerts", timeout=60).json()
    return found


def notified(hook: Receiver, status: str, seconds: float = 60.0) -> dict[str, Any]:
    """The notification of that status, as a human's receiver gets it from Alertmanager."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _, _, body in hook.got:
            document: dict[str, Any] = json.loads(body)
            if document["status"] == status:
                return document
        time.sleep(0.1)
    raise AssertionError(f"no notification {status}: {hook.got}")


def test_an_incident_is_one_alert_from_its_beginning_to_its_end(
    tmp_path: Path, manager: str, hook: Receiver
) -> None:
    """Through the outbox: firing, still firing with more instances, resolved."""
    outbox = Outbox(tmp_path / "alerts.db")
    target = Alertmanager("am", manager, (("team", "shop"),))
    courier = Deliverer(outbox, [target])
    for change, instances in (("firing", 61), ("still", 75)):
        outbox.commit({}, [told(change, instances=instances)], ["am"])  # type: ignore[arg-type]
        courier.turn(target)
    [alert] = alerts(manager)
    assert alert["labels"] == {
        "alertname": "choreoscope_stuck",
        "severity": "error",
        "workflow": "order",
        "service": "payments",
        "step": "process orders.placed",
        "cause": "consumer-dark",
        "team": "shop",
    }
    assert alert["annotations"]["instances"] == "75"
    assert alert["annotations"]["examples"] == "ord-1, ord-2"
    assert alert["status"]["state"] == "active"
    assert notified(hook, "firing")["commonLabels"]["workflow"] == "order"
    outbox.commit({}, [told("resolved")], ["am"])
    courier.turn(target)
    assert alerts(manager) == []
    notified(hook, "resolved")
    assert outbox.waiting() == {}
    assert [one.outcome for one in outbox.log()] == ["delivered"] * 3
    outbox.close()


def test_an_outage_of_alertmanager_loses_nothing(tmp_path: Path, manager: str) -> None:
    """What was decided before it listened is told when it does."""
    outbox = Outbox(tmp_path / "alerts.db")
    outbox.commit({}, [told("firing", "a"), told("firing", "b", step="pack")], ["am"])
    absent = Alertmanager("am", "http://127.0.0.1:9")
    Deliverer(outbox, [absent]).turn(absent)
    assert outbox.waiting() == {"am": 2}
    present = Alertmanager("am", manager)
    courier = Deliverer(outbox, [present], clock=lambda: time.time_ns() + 10 * SECOND)
    courier.turn(present)
    assert sorted(one["labels"]["step"] for one in alerts(manager)) == [
        "pack",
        "process orders.placed",
    ]
    outbox.close()


@pytest.mark.parametrize(
    "name",
    ["", "ünï\u202ecode", "a" * 5000, "line\nbreak\x00", '"quoted" {{ template }}', "\ud800"],
)
def test_foreign_names_are_taken(manager: str, name: str) -> None:
    """Whatever a service calls itself, Alertmanager takes the alert."""
    event = told("firing", workflow=name, service=name, step=name, summary=name, examples=(name,))
    labels = (("team/name.1", "x"), ("9lives", "y"))
    deliver(Alertmanager("am", manager, labels).message([event]))
    [alert] = alerts(manager)
    assert alert["labels"]["team_name_1"] == "x"
    assert alert["labels"]["_9lives"] == "y"


def test_many_at_once(manager: str) -> None:
    """Ten thousand incidents, in batches."""
    target = Alertmanager("am", manager)
    events = [told("firing", str(n), step=f"step {n}") for n in range(10_000)]
    for first in range(0, len(events), target.batch):
        deliver(target.message(events[first : first + target.batch]))
    assert len(alerts(manager)) == 10_000


def test_a_broken_request_is_refused_by_it_and_told(tmp_path: Path, manager: str) -> None:
    """What it will never take goes to the log as refused, and the next alert is told."""
    outbox = Outbox(tmp_path / "alerts.db")
    target = Alertmanager("am", f"{manager}/nothing/here")
    outbox.commit({}, [told("firing")], ["am"])
    Deliverer(outbox, [target]).turn(target)
    assert [one.outcome for one in outbox.log()] == ["refused"]
    assert "404" in outbox.log()[0].detail
    outbox.close()
