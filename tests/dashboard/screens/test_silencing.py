"""Silences from the dashboard: at a running server, in a store; the command where neither is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from analyzer.alerts.outbox import Outbox
from analyzer.alerts.silences import Silence
from analyzer.monitor.api import routes
from analyzer.monitor.monitor import Monitor, Settings
from collectors.receivers.http_server import HttpServer, Listen
from collectors.receivers.web import Access, Web
from collectors.store.store import Store
from tests.dashboard.fake import FakeFeed, lines, settled
from tests.dashboard.feeds.test_live import fill
from tests.dashboard.feeds.watching import running
from tests.dashboard.screens.world import page, play, press, world
from tui.alerting import Desk
from tui.dashboard.app import Dashboard
from tui.dashboard.feeds.connect import ConnectFeed
from tui.dashboard.feeds.store import StoreFeed
from tui.dashboard.screens.alerts import Alerts
from tui.dashboard.silencing import Silencer, Wanted


class Quiet(FakeFeed):
    """A feed of a source with that book of silences."""

    def __init__(self, make: Callable[[], Desk] | None) -> None:
        super().__init__(world())
        self._make = make

    def desk(self) -> Callable[[], Desk] | None:
        return self._make


class Screen(Dashboard):
    """Remembers what was said and copied."""

    def __init__(self, feed: FakeFeed) -> None:
        super().__init__(feed)
        self.told: list[str] = []
        self.copied: list[str] = []

    def notify(self, message: str, **more: Any) -> None:
        self.told.append(message)

    def _copy(self, text: str) -> None:
        self.copied.append(text)


@contextmanager
def serving(folder: Path, token: str = "", reader: str = "") -> Iterator[tuple[str, Outbox]]:
    outbox = Outbox(folder / "alerts.db")
    monitor = Monitor(folder, Settings(), outbox)
    web = Web(routes(monitor, outbox), Access(token, reader))
    server = HttpServer([Listen("API", "127.0.0.1", 0, web)])
    server.start()
    try:
        yield f"http://127.0.0.1:{server.listens[0].port}", outbox
    finally:
        server.stop(1.0)
        outbox.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Store(tmp_path / "s", compacting=False).close()
    return tmp_path / "s"


def silenced(make: Callable[[], Desk] | None, *keys: str) -> Screen:
    """The alert under the cursor, by those keys after x."""
    shown = Screen(Quiet(make))

    async def act(pilot: Pilot[Any]) -> None:
        await press(pilot, "x", *keys)
        await settled(pilot)

    play(shown, act, "6")
    return shown


def test_it_is_silenced_at_the_server(store: Path) -> None:
    """What, how long and why are what stands in the dialog; who is who sits there."""
    with serving(store, "T") as (url, outbox):
        shown = silenced(ConnectFeed(url, "T").desk(), *"known", "enter")
        [made] = outbox.silences()
    assert dict(made.match) == {"kind": "stuck", "workflow": "order-fulfilment",
                                "service": "payments", "step": "PaymentCaptured",
                                "cause": "consumer-error"}  # fmt: skip
    assert made.until_ns - made.from_ns == 2 * 3600 * 10**9
    assert made.reason == "known"
    assert made.by
    assert shown.told == [f"silenced until {_until(made)} as {made.id}"]
    assert shown.copied == []


def _until(silence: Silence) -> str:
    from analyzer.reporters.units import moment

    return moment(silence.until_ns)


def test_it_is_silenced_in_the_store(store: Path) -> None:
    """Where `serve` keeps its alerts; the same book as `choreoscope alert silence --store`."""
    Outbox(store / "alerts.db").close()
    shown = silenced(StoreFeed(store).desk(), *"known", "enter")
    outbox = Outbox(store / "alerts.db")
    assert [one.reason for one in outbox.silences()] == ["known"]
    outbox.close()
    assert shown.told[0].startswith("silenced until ")


def test_the_fields_can_be_changed_and_left(store: Path) -> None:
    with serving(store) as (url, outbox):
        make = ConnectFeed(url).desk()
        silenced(make, *"no", "escape")
        assert outbox.silences() == []
        typed = ("shift+tab", "ctrl+u", *"15m", "shift+tab", "ctrl+u", *"owner=a?b", "enter")
        silenced(make, *"yes", *typed)
        [made] = outbox.silences()
    assert (made.until_ns - made.from_ns, made.match) == (900 * 10**9, (("owner", "a?b"),))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("enter",), "say the reason"),
        ((*"x", "shift+tab", "ctrl+u", "enter"), "is not a duration"),
        ((*"x", "shift+tab", "ctrl+u", *"9999d", "enter"), "seconds must be"),
        ((*"x", "shift+tab", "shift+tab", *" colour=red", "enter"), "no field 'colour'"),
        ((*"x", "shift+tab", "shift+tab", *" nonsense", "enter"), "is not FIELD=GLOB"),
        ((*"x", "shift+tab", "shift+tab", *" 'open", "enter"), "No closing quotation"),
    ],
)
def test_what_cannot_be_is_said_in_the_dialog(typed: tuple[str, ...], said: str) -> None:
    """And nothing is asked of anybody."""

    def never() -> Desk:
        raise AssertionError

    async def act(pilot: Pilot[Any]) -> None:
        await press(pilot, "x", *typed)
        assert isinstance(pilot.app.screen, Silencer)
        assert said in "\n".join(lines(pilot.app))

    play(Screen(Quiet(never)), act, "6")


def test_the_dialog_says_how_many_it_holds_back() -> None:
    async def act(pilot: Pilot[Any]) -> None:
        await press(pilot, "x", "k")
        assert "holds back 1 of 3 alerts" in "\n".join(lines(pilot.app))
        pilot.app.screen.query_one("#match", Input).value = "kind=*"
        await settled(pilot)
        assert "holds back 3 of 3 alerts" in "\n".join(lines(pilot.app))

    play(Screen(Quiet(lambda: 1 / 0)), act, "6")  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("token", "said"),
    [("reader", "this token may only read"), ("wrong", "Bearer TOKEN"), ("", "Bearer TOKEN")],
)
def test_a_server_that_does_not_allow_it_is_heard(store: Path, token: str, said: str) -> None:
    """Its words are told, and the command is copied as it was wanted."""
    with serving(store, "secret", "reader") as (url, outbox):
        shown = silenced(ConnectFeed(url, token).desk(), *"why not", "enter")
        assert outbox.silences() == []
    assert shown.told[0].startswith(f"not silenced: {url}: HTTP 40")
    assert said in shown.told[0]
    [command] = shown.copied
    assert command.endswith("--for 2h --reason 'why not'")


def test_a_server_without_silences_is_heard(store: Path) -> None:
    """Another version, or a proxy that passes only questions."""
    with serving(store) as (url, _):
        shown = silenced(ConnectFeed(url + "/elsewhere").desk(), *"known", "enter")
    assert "HTTP 404" in shown.told[0]
    assert len(shown.copied) == 1


def test_a_server_that_is_gone_is_told(store: Path) -> None:
    with serving(store) as (url, _):
        pass
    shown = silenced(ConnectFeed(url).desk(), *"known", "enter")
    assert shown.told[0].startswith(f"not silenced: {url} does not answer")
    assert len(shown.copied) == 1


def test_where_nobody_can_be_asked_the_command_is_copied(store: Path) -> None:
    """A recording; a store over which no `serve` has watched: no dialog that would lead nowhere."""
    assert StoreFeed(store).desk() is None
    shown = silenced(StoreFeed(store).desk())
    assert len(shown.copied) == 1
    assert shown.copied[0].startswith("choreoscope alert silence kind=stuck workflow=")
    assert "no `serve` watches" in shown.told[0]


def test_the_command_is_what_the_dialog_says() -> None:
    """Both are read by the same words: what is copied, `choreoscope alert silence` takes."""
    import shlex

    from tui.alerting import wanted

    given = Wanted("'workflow=a b*' kind=stuck", "90m", "it's counted")
    words = shlex.split(given.command)
    assert words[:3] == ["choreoscope", "alert", "silence"]
    match, seconds = wanted(words[3:5], words[6])
    assert (match, seconds) == ({"workflow": "a b*", "kind": "stuck"}, 5400)
    assert words[5:] == ["--for", "90m", "--reason", "it's counted"]
    made = given.silence()
    assert (dict(made.match), made.reason) == (match, "it's counted")


def test_a_silence_is_ended(store: Path) -> None:
    """x on an alert that is silenced."""
    with serving(store) as (url, outbox):
        now = time.time_ns()
        outbox.silence(Silence("s1", (("kind", "failed"),), now + 10**13, "ann", "known", now))

        async def act(pilot: Pilot[Any]) -> None:
            shown = page(pilot)
            assert isinstance(shown, Alerts)
            shown.return_to("=k3")
            await settled(pilot)
            await press(pilot, "x", "1")
            await settled(pilot)

        app = Screen(Quiet(ConnectFeed(url).desk()))
        play(app, act, "6")
        [silence] = outbox.silences()
        assert silence.until_ns < time.time_ns()
    assert app.told == ["the silence s1 has ended"]


def test_the_screen_of_a_store_follows_the_book_of_serve(tmp_path: Path) -> None:
    """A silence made anywhere is seen on the next look; so is what `serve` has told."""
    store = Store(tmp_path / "s", compacting=False)
    fill(store, "sim:order?instances=60&seed=1&faults=lost:0.1")
    outbox = Outbox(tmp_path / "s" / "alerts.db")
    with running(StoreFeed(tmp_path / "s")) as watch:
        watch.until(lambda: bool(watch.feed.snapshot and watch.feed.snapshot.alerts))
        now = time.time_ns()
        outbox.silence(Silence("s1", (("kind", "*"),), now + 10**13, "ann", "known", now))

        def held() -> bool:
            snapshot = watch.feed.snapshot
            return snapshot is not None and all(one.silence == "s1" for one in snapshot.alerts)

        watch.until(held)
        outbox.unsilence("s1", time.time_ns())
        watch.until(lambda: not held())
    outbox.close()
    store.close()
