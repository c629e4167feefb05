"""Other keys for the actions: `[watch.keys]` of choreoscope.toml, checked before the start."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from textual.app import App
from textual.binding import Binding, BindingsMap
from textual.keys import Keys
from textual.widget import Widget

from tui.dashboard.errors import SettingError
from tui.dashboard.screens.registry import PAGES


class KeymapError(SettingError):
    """An id that no action has, a key that there is not, or one key for two actions."""


def check(keys: Mapping[str, str], app: type[App[Any]]) -> dict[str, str]:
    """The keymap for Textual; raises KeymapError with a message for people."""
    scopes = _scopes(app)
    known = sorted({binding.id for scope in scopes.values() for binding in scope if binding.id})
    for id, chosen in keys.items():
        if id not in known:
            near = difflib.get_close_matches(id, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise KeymapError(f"watch.keys: no action is called {id!r}; {hint}")
        _check_names(id, chosen)
    for bindings in scopes.values():
        _check_clashes(bindings, keys)
    return dict(keys)


def _scopes(app: type[App[Any]]) -> dict[str, list[Binding]]:
    """What is active together: a key may mean one thing in each of these."""
    from tui.dashboard.columns import ColumnMenu
    from tui.dashboard.filter import FilterInput
    from tui.dashboard.instance.view import InstanceView
    from tui.dashboard.instance.widgets import SheetView
    from tui.dashboard.rows import Rows

    own, rows = _bindings(app), _bindings(Rows)
    scopes = {entry.id: [*own, *rows, *_bindings(entry.load())] for entry in PAGES}
    for entry in PAGES:
        page = entry.load()
        for widget in page.WIDGETS:
            name = f"{entry.id} {widget.__name__}"
            scopes[name] = [*own, *_bindings(page), *_bindings(widget)]
    scopes["columns"] = _bindings(ColumnMenu)
    scopes["filter"] = _bindings(FilterInput)
    scopes["instance"] = [*own, *_bindings(InstanceView), *_bindings(SheetView)]
    return scopes


def _bindings(node: type[App[Any]] | type[Widget]) -> list[Binding]:
    """Those of the class and of its bases, as Textual merges them."""
    found: dict[str, list[Binding]] = {}
    for base in reversed(node.__mro__):
        if issubclass(base, App | Widget) and base not in (App, Widget):
            own = base.__dict__.get("BINDINGS", ())
            for key, binding in BindingsMap(own):
                found.setdefault(key, []).append(binding)
    return [binding for bindings in found.values() for binding in bindings]


def _check_names(id: str, chosen: str) -> None:
    names = {key.value for key in Keys}
    for key in chosen.split(","):
        bare = key.strip().rsplit("+", 1)[-1] if len(key.strip()) > 1 else key.strip()
        is_named = bare in names or bare.replace("_", "").isalnum()
        if not bare or not (is_named or len(bare) == 1):
            raise KeymapError(f"watch.keys: {id} = {chosen!r}: there is no key {key.strip()!r}")


def _check_clashes(bindings: Iterable[Binding], keys: Mapping[str, str]) -> None:
    taken: dict[str, str] = {}
    for binding in bindings:
        mine = binding.id
        for key in _keys(binding, keys) if mine else ():  # without an id: Textual's own, hidden
            other = taken.setdefault(key, mine or "")
            if mine and other != mine and (other in keys or mine in keys):
                first, second = sorted((other, mine))
                raise KeymapError(f"watch.keys: {key!r} is both {first!r} and {second!r}")


def _keys(binding: Binding, keys: Mapping[str, str]) -> list[str]:
    from textual.keys import _character_to_key

    if binding.id is None or binding.id not in keys:
        return [binding.key]
    chosen = [key.strip() or key for key in keys[binding.id].split(",")]
    return [_character_to_key(key) if len(key) == 1 else key for key in chosen]
