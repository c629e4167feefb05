"""The hotspots that are worth a finding."""

from __future__ import annotations

from analyzer.finding import Finding, Hotspot, Severity

# Below, a hotspot is worth a look on the coupling screen, not a line among the faults. It stays
# under what one full part of the lightest kind gives (0.2), plus as much again from the others.
WORTH = 0.3
_HINTS = frozenset(("passive-aggressive-event", "front-controller", "stamp-coupling", "hub"))


def coupling_findings(hotspots: tuple[Hotspot, ...]) -> tuple[Finding, ...]:
    """Findings about coupling, in the order of `hotspots`; none is an error.

    `service` is the first one, `step` names all, so that the fingerprint tells places apart.
    """
    return tuple(_finding(spot) for spot in hotspots if spot.score >= WORTH)


def _finding(spot: Hotspot) -> Finding:
    return Finding(
        kind=spot.kind,
        severity=_severity(spot),
        confidence=0.6 if spot.kind in _HINTS else 0.9,  # a pattern that is guessed, or counted
        message=spot.message,
        service=spot.services[0],
        step=", ".join(spot.services),
        needs=_NEEDS.get(spot.kind, ()),
    )


_NEEDS = {
    "passive-aggressive-event": ("the intent of the message (an expectations file, or its team)",),
}


def _severity(spot: Hotspot) -> Severity:
    """A warning where a release or an outage of one service takes the others along."""
    serious = {
        "cycle": spot.parts.get("causal", 0) > 0,
        "shared-database": spot.parts.get("writers", 0) > 0,
        "synchronous-chain": spot.score >= 0.5,
        "bidirectional": spot.score >= 0.5,
        "esb-like-hub": True,
    }
    return Severity.WARNING if serious.get(spot.kind, False) else Severity.NOTE
