"""The findings: causes with the evidence for and against, and what would settle it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from analyzer.escape import escape
from analyzer.reporters.lanes import TIERS
from analyzer.reporters.style import (
    DEFAULT,
    SEVERITY_COLOURS,
    SEVERITY_GLYPHS,
    Style,
    joined,
    name,
    prose,
)
from analyzer.reporters.units import count, duration
from tui.dashboard.instance.model import Model
from tui.dashboard.instance.pieces import Line, wrapped
from tui.dashboard.instance.sheet import Sheet

_TONES = {"red": "error", "yellow": "warning", "cyan": "accent"}
LABEL = 11


class WhySheet(Sheet):
    """Text that is wrapped to the screen; the cursor has nothing to stop at."""

    TITLE = "Why"

    def __init__(self, model: Model, style: Style = DEFAULT) -> None:
        super().__init__(model, style)
        self._lines = lru_cache(maxsize=4)(self._wrapped)

    def count(self, width: int) -> int:
        """Lines at that width."""
        return len(self._lines(width))

    def line(self, at: int, width: int) -> Line:
        """One of them."""
        return self._lines(width)[at]

    def _wrapped(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for finding in self.model.document["findings"]:
            lines += [*self._finding(finding, width), []]
        nothing: list[Line] = [[("no finding about this instance", "dim")], []]
        return self.owned([*(lines or nothing), *self._membership(width)])

    def _finding(self, finding: Mapping[str, Any], width: int) -> list[Line]:
        glyph = SEVERITY_GLYPHS.get(finding["severity"], ("?", "?"))
        own = _TONES.get(SEVERITY_COLOURS.get(finding["severity"], ""), "")
        sure = f"  {escape(finding['severity'])}, confidence {finding['confidence']:.2f}"
        lines: list[Line] = [
            [(f"{self.style.pick(glyph)} {name(finding['kind'])}", own), (sure, "dim")],
            *self._part("what", prose(finding["message"]), width),
        ]
        for label, said in self._facts(finding):
            lines += self._part(label, said, width)
        for number, cause in enumerate(finding["causes"]):
            lines += self._cause(cause, width, first=not number)
        for number, need in enumerate(finding["needs"]):
            lines += self._part("" if number else "settled by", prose(need), width)
        shown = [f"{e['role']} {e['span_id']}" for e in finding["evidence"]]
        return lines + (self._part("spans", joined(shown, 6), width) if shown else [])

    def _facts(self, finding: Mapping[str, Any]) -> list[tuple[str, str]]:
        waiting = finding["waiting_for"]
        facts = []
        if any(waiting.values()):
            on = f" on {name(waiting['destination'])}" if waiting["destination"] else ""
            who = f"{name(waiting['service'] or '?')}: {name(waiting['step'] or '?')}"
            facts.append(("waits for", f"{who}{on}"))
        if finding["since"]:
            overdue = finding["overdue_s"]
            late = f", overdue by {duration(overdue * 1e9)}" if overdue else ""
            facts.append(("since", self.own(finding["since"].replace("T", " ") + late)))
        if finding["owner"]:
            facts.append(("owner", name(finding["owner"])))
        if finding["instances"] > 1:
            facts.append(("shared by", count(finding["instances"], "instance")))
        return facts

    def _cause(self, cause: Mapping[str, Any], width: int, *, first: bool) -> list[Line]:
        bar = self.style.bar(cause["confidence"], 10)
        label = "causes" if first else ""
        lines: list[Line] = [
            [
                (f"  {label:<{LABEL}}", "dim"),
                (f"{name(cause['cause'])} ", "bold"),
                (f"{cause['confidence']:.2f} {bar}", "warning" if first else "dim"),
            ]
        ]
        for sign, own, key in (("+", "success", "for"), ("-", "error", "against")):
            for said in cause[key]:
                lines += wrapped(prose(said), width, [(" " * (LABEL + 4), ""), (f"{sign} ", own)])
        return lines

    def _part(self, label: str, text: str, width: int) -> list[Line]:
        return wrapped(text, width, [(f"  {label:<{LABEL}}", "dim")])

    def _membership(self, width: int) -> list[Line]:
        """How many edges each tier of evidence gave."""
        edges = self.model.document["edges"]
        tiers = Counter(edge["tier"] or "?" for edge in edges)
        lines: list[Line] = [[("why one instance", "bold")]]
        for tier in sorted(tiers):
            sure = min(edge["confidence"] or 0.0 for edge in edges if (edge["tier"] or "?") == tier)
            meaning = TIERS.get(tier, "other evidence")
            said = f"{count(tiers[tier], 'edge')}, confidence {sure:.2f} at least: {meaning}"
            lines += self._part(name(tier), said, width)
        keys = self.model.instance["keys"]
        lines += self._part("keys", joined(keys, 6), width) if keys else []
        traces = self.model.instance["trace_ids"]
        return lines + self._part("traces", joined(traces, 4), width)
