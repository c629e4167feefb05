"""The words that name findings on a command line: kinds and causes; a misspelt one is an error."""

from __future__ import annotations

from collections.abc import Iterable

# Causes that findings can have; a test holds them to the detectors and to coupling.
CAUSES: tuple[str, ...] = (
    "call-failed",
    "central-routing",
    "central-status",
    "compensated",
    "concentration",
    "concurrent",
    "consumer-dark",
    "context-broken",
    "crashed",
    "dead-lettered",
    "downstream-silent",
    "ended-early",
    "event-as-command",
    "fine-grained-calls",
    "handler-error",
    "in-flight",
    "insufficient-history",
    "left-out",
    "lost",
    "missing-producer-span",
    "mutual-dependency",
    "nested-calls",
    "no-known-consumer",
    "not-processed",
    "partial",
    "partition-stalled",
    "redelivered",
    "retries",
    "retrying",
    "sampled-out",
    "send-failed",
    "shared-state",
    "slow",
    "state-in-messages",
    "two-values",
    "unknown",
    "unknown-producer",
)


def finding_kinds() -> frozenset[str]:
    """Kinds of findings, about instances, coupling, data and what was declared."""
    from analyzer.reporters import groups

    sets = (value for name, value in vars(groups).items() if name.endswith("_KINDS"))
    return frozenset().union(*sets)


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean ...`, or all that there are."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
