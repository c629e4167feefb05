"""Other keys: what may be said, what is refused, and that it works."""

from __future__ import annotations

import asyncio

import pytest

from tests.dashboard.fake import FakeFeed, settled, snapshot
from tui.dashboard.app import Dashboard
from tui.dashboard.errors import SettingError
from tui.dashboard.keys import KeymapError, check
from tui.dashboard.screens.instances import Instances


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"puase": "p"}, "no action is called 'puase'; did you mean 'pause'?"),
        ({"pause": "q"}, "'q' is both 'pause' and 'quit'"),
        ({"pause": "j"}, "'j' is both 'pause' and 'rows.down'"),
        ({"pause": "p", "quit": "p"}, "'p' is both 'pause' and 'quit'"),
        ({"pause": "hyper?+"}, "there is no key"),
        ({"pause": ""}, "there is no key"),
        ({"instance.down": "x"}, "'x' is both 'instance.critical' and 'instance.down'"),
        ({"instance.left": "y"}, "'y' is both 'copy' and 'instance.left'"),
    ],
)
def test_what_cannot_be(keys: dict[str, str], said: str) -> None:
    with pytest.raises(KeymapError) as caught:
        check(keys, Dashboard)
    assert said in str(caught.value)


def test_keys_may_be_swapped() -> None:
    assert check({"pause": "q", "quit": "space"}, Dashboard)
    assert check({"rows.down": "down,ctrl+n"}, Dashboard)
    assert check({"rows.columns": "C", "columns.later": "shift+down"}, Dashboard)
    assert check({"instance.left": "h", "instance.right": "l"}, Dashboard)


def test_no_two_actions_share_a_key_as_it_comes() -> None:
    """The defaults hold to the law that configuration is held to."""
    from tui.dashboard.keys import _keys, _scopes

    for name, bindings in _scopes(Dashboard).items():
        taken: dict[str, str] = {}
        for binding in bindings:
            if binding.id is None:
                continue
            for key in _keys(binding, {}):
                assert taken.setdefault(key, binding.id) == binding.id, (name, key)


def test_another_key_does_it_and_the_old_one_does_not() -> None:
    async def session() -> None:
        app = Dashboard(FakeFeed(snapshot()), keys={"pause": "p", "rows.down": "ctrl+n"})
        async with app.run_test(size=(132, 40)) as pilot:
            await settled(pilot)
            await pilot.press("space")
            assert app.paused is None
            await pilot.press("p")
            assert app.paused is not None
            await pilot.press("down", "ctrl+n")
            assert app.query_one(Instances).rows.cursor == 1

    asyncio.run(session())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"open_url": "https://jaeger.example/"}, "must be a URL with {trace_id}"),
        ({"open_url": "file:///{trace_id}"}, "must be a URL with {trace_id}"),
        ({"theme": "nope"}, "there is no 'nope'; there are"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError) as caught:
        Dashboard(FakeFeed(), **settings)  # type: ignore[arg-type]
    assert said in str(caught.value)
