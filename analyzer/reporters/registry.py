"""The reports that `analyze` can write, listed by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analyzer.analysis import Analysis
from analyzer.reporters import json, text
from analyzer.reporters.context import Context


@dataclass(frozen=True, slots=True)
class Reporter:
    """A format's name and the function that writes it."""

    name: str
    render: Callable[[Analysis, Context], str]


REPORTERS: tuple[Reporter, ...] = (
    Reporter("text", text.render),
    Reporter("json", json.render),
)
