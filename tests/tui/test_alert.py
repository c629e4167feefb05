"""`alert test|silence|silences|unsilence|log`: as configured, and nothing secret is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.alerts.delivery import Deliverer
from analyzer.alerts.outbox import Outbox
from analyzer.monitor.api import routes
from analyzer.monitor.monitor import Monitor, Settings
from collectors.receivers.http_server import HttpServer, Listen
from collectors.receivers.web import Access, Web
from collectors.store.store import Store
from tests.alerts.incidents import NOW, event
from tests.alerts.receiver import receiver
from tests.tui.conftest import Run

SECRETS = ("s3cret", "pass-w0rd", "T0KEN", "R0UTE", "B00", "from-the-environment")
CONFIGURATION = """
[store]
folder = "store"
[alerts.targets.am]
type = "alertmanager"
url = "{url}"
token = "T0KEN"
[alerts.targets.hook]
type = "webhook"
url = "{url}/hook"
secret = "s3cret"
headers = {{x-key = "pass-w0rd", x-other = "{{env:OTHER}}"}}
[alerts.targets.pager]
type = "pagerduty"
routing_key = "R0UTE"
url = "{url}/pager"
[alerts.targets.slack]
type = "slack"
url = "{url}/services/B00"
[alerts.targets.program]
type = "exec"
argv = ["sh", "-c", "cat > got.json"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OTHER", "from-the-environment")
    return tmp_path


def test_a_sample_reaches_every_target(folder: Path, run: Run) -> None:
    """Firing and resolved, one after the other; which failed is told, and the code is 2."""
    with receiver() as found:
        (folder / "choreoscope.toml").write_text(CONFIGURATION.format(url=found.url))
        done = run("alert", "test")
        assert (done.code, done.out.count(": delivered\n")) == (0, 5), done
        paths = [path for path, _, _ in found.got]
        assert sorted(set(paths)) == ["/api/v2/alerts", "/hook", "/pager", "/services/B00"]
        assert len(paths) == 8
        assert json.loads((folder / "got.json").read_text())["change"] == "resolved"
        found.got.clear()
        assert run("alert", "test", "pager").code == 0
        assert [json.loads(body)["event_action"] for _, _, body in found.got] == [
            "trigger",
            "resolve",
        ]
        found.status, found.body = 403, b"who are you?"
        failed = run("alert", "test", "am")
        assert (failed.code, "am: HTTP 403: who are you?" in failed.out) == (2, True)


def test_a_dry_run_sends_nothing_and_shows_no_secret(folder: Path, run: Run) -> None:
    with receiver() as found:
        (folder / "choreoscope.toml").write_text(CONFIGURATION.format(url=found.url))
        done = run("alert", "test", "--dry-run")
        assert done.code == 0
        assert found.got == []
        assert not (folder / "got.json").exists()
        for secret in SECRETS:
            assert secret not in done.out
        assert done.out.count("(not shown)") == 5
        assert '"alertname": "choreoscope_test"' in done.out


def test_what_is_not_configured_is_named(folder: Path, run: Run) -> None:
    assert "no target is configured" in run("alert", "test").err
    text = '[alerts.targets.pager]\ntype = "pagerduty"\nrouting_key = "{env:NOBODY_SETS_THIS}"\n'
    (folder / "choreoscope.toml").write_text(text)
    assert "did you mean 'pager'?" in run("alert", "test", "pgaer").err
    for options in ([], ["--dry-run"]):
        done = run("alert", "test", *options)
        assert done.code == 2
        assert "NOBODY_SETS_THIS is not set" in done.out + done.err


@pytest.fixture(params=["store", "serve"])
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[list[str]]:
    """The options that name the outbox: of a store in this folder, or of a running API."""
    Store(folder / "store", compacting=False).close()
    if request.param == "store":
        yield ["--store", "store"]
        return
    outbox = Outbox(folder / "store" / "alerts.db")
    monitor = Monitor(folder / "store", Settings(), outbox)
    server = HttpServer(
        [Listen("API", "127.0.0.1", 0, Web(routes(monitor, outbox), Access("T0KEN")))]
    )
    server.start()
    yield ["--connect", f"http://127.0.0.1:{server.listens[0].port}", "--token", "T0KEN"]
    server.stop(1.0)
    outbox.close()


def test_silences_begin_and_end(folder: Path, place: list[str], run: Run) -> None:
    """In a store and in a running `serve` alike; the engine sees them."""
    made = run(
        "alert", "silence", "workflow=order*", "severity=error", "--for", "2h",
        "--reason", "stock is counted", "--by", "ann", *place,
    )  # fmt: skip
    assert made.code == 0, made.err
    name = made.out.strip()
    listed = run("alert", "silences", *place)
    assert "severity=error workflow=order*  ann: stock is counted" in listed.out
    outbox = Outbox(folder / "store" / "alerts.db")
    [silence] = outbox.silences()
    assert silence.until_ns - silence.from_ns == 2 * 3600 * 10**9
    assert dict(silence.match) == {"workflow": "order*", "severity": "error"}
    assert run("alert", "unsilence", name, *place).code == 0
    assert run("alert", "silences", *place).out == ""
    assert "ended" in run("alert", "silences", "--all", *place).out
    again = run("alert", "unsilence", name, *place)
    assert (again.code, "is in force" in again.err) == (2, True)
    outbox.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["colour=red", "--for", "1h", "--reason", "x"], "no field 'colour'"),
        (["workflow=", "--for", "1h", "--reason", "x"], "needs at least one"),
        (["workflow=a", "--for", "0s", "--reason", "x"], "seconds must be"),
        (["workflow=a", "--for", "9999d", "--reason", "x"], "seconds must be"),
        (["workflow=a", "--for", "1h", "--reason", " "], "say the reason"),
    ],
)
def test_bad_silences(place: list[str], run: Run, arguments: list[str], said: str) -> None:
    """Refused in the same words, whichever way they go."""
    done = run("alert", "silence", *arguments, *place)
    assert (done.code, said in done.err) == (2, True), done


def test_the_log_says_what_was_told(folder: Path, place: list[str], run: Run) -> None:
    outbox = Outbox(folder / "store" / "alerts.db")
    from analyzer.alerts.targets.webhook import Webhook

    with receiver() as found:
        target = Webhook("hook", found.url)
        outbox.commit({}, [event("firing", "the-key")], ["hook"])
        found.status, found.body = 400, b"no \x1b[31mthank you"
        Deliverer(outbox, [target], clock=lambda: NOW).turn(target)
    outbox.close()
    done = run("alert", "log", *place)
    assert "refused    hook  firing  the-key  HTTP 400: no \\x1b[31mthank you" in done.out


def test_no_serve_there(folder: Path, run: Run) -> None:
    """Nobody listens, somebody else does, a folder that is no store: exit 2 and why."""
    done = run("alert", "silences", "--connect", "http://127.0.0.1:9")
    assert (done.code, "does not answer" in done.err) == (2, True)
    done = run("alert", "log", "--store", ".")
    assert (done.code, "is no store" in done.err) == (2, True)


def test_a_damaged_file_of_alerts_is_said_plainly(folder: Path, run: Run) -> None:
    with Store(folder / "store", compacting=False):
        pass
    (folder / "store" / "alerts.db").write_bytes(b"no database at all " * 100)
    done = run("alert", "log", "--store", "store")
    assert (done.code, "alerts.db is damaged" in done.err) == (2, True), done.err
