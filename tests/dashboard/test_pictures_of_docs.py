"""The pictures of the documentation show the dashboard as it is."""

from __future__ import annotations

import re

import pytest

from tests.dashboard.pictures import FOLDER, PICTURES, ROOT, picture, words


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_current(name: str) -> None:
    """`make screenshots` makes them anew; the text counts, not the looks."""
    assert words((FOLDER / f"{name}.svg").read_text(encoding="utf-8")) == words(picture(name))


def test_they_fetch_nothing() -> None:
    for path in FOLDER.glob("*.svg"):
        addresses = set(re.findall(r"https?://[^\s\"'<)]+", path.read_text(encoding="utf-8")))
        assert addresses <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}


def test_every_picture_is_shown() -> None:
    shown = "".join((ROOT / page).read_text("utf-8") for page in ("README.md", "docs/dashboard.md"))
    assert {name for name in PICTURES if f"pictures/{name}.svg" not in shown} == set()
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(PICTURES)
