"""The words of `diff --fail-on`: kinds of change, and groups of them."""

from __future__ import annotations

from collections.abc import Iterable

import click

from tui.words import nearest


def parse_kinds(words: Iterable[str]) -> frozenset[str]:
    """The kinds that fail the run. UsageError names the nearest word."""
    from analyzer.comparison.change import GROUPS, KINDS

    found: set[str] = set()
    for word in (part.strip() for text in words for part in text.split(",")):
        if word in GROUPS:
            found.update(GROUPS[word])
        elif word in KINDS:
            found.add(word)
        elif word != "none":
            raise click.UsageError(
                f"--fail-on: unknown kind {word!r}; {nearest(word, [*GROUPS, *KINDS])}"
            )
    return frozenset(found)
