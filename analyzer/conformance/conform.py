"""The steps of the pipeline that know of declarations: before, between and after the detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from analyzer.checks import Conformance
from analyzer.conformance.agreement import agreed, told
from analyzer.conformance.broken import explained
from analyzer.conformance.contracts import Ran, held_against
from analyzer.conformance.declared import Declared
from analyzer.conformance.judgement import (
    Judgement,
    judgement,
    with_owners,
    without_external,
)
from analyzer.conformance.match import Finder
from analyzer.context import Context
from analyzer.detection import Detection
from analyzer.detectors.compensation import Pair
from analyzer.finding import Finding


@dataclass(frozen=True)
class Conforming:
    """A recording held against what was declared; without declarations everything passes as is."""

    context: Context
    declared: Declared
    finder: Finder

    @classmethod
    def of(cls, context: Context, declared: Declared) -> Conforming:
        """Begin."""
        return cls(context, declared, Finder(context))

    def absences(self, learned: pl.DataFrame) -> pl.DataFrame:
        """Judged absences with declared deadlines and needs in the place of learned ones."""
        expectations = self.declared.expectations
        return agreed(self.finder, expectations, learned) if expectations.workflows else learned

    def pairs(self, suggested: Sequence[Pair]) -> tuple[Pair, ...]:
        """The pairs of doing and undoing: those suggested by their names, those declared."""
        found = {(one.do, one.undo): one for one in suggested}
        for workflow in self.declared.expectations.workflows:
            for rule in workflow.compensates:
                for do in self.finder.labels((rule.do,)).tolist():
                    for undo in self.finder.labels((rule.undo,)).tolist():
                        if do != undo:
                            found.setdefault((do, undo), Pair(do, undo))
        return tuple(found.values())

    def detections(
        self, detections: Sequence[Detection], absences: pl.DataFrame
    ) -> tuple[tuple[Detection, ...], Judgement]:
        """The detections with declared words and severities, without those of participants that
        emit no spans, and with one for what was broken and nobody else tells."""
        expectations = self.declared.expectations
        kept = without_external(self.context, detections, expectations.external)
        judged = judgement(self.finder, expectations, absences)
        if not expectations.workflows:
            return kept, judged
        known = explained([one for one in kept if "declared_by" not in one.frame.columns])
        kept = tuple(told(one, known) for one in kept)
        return (*kept, judged.detection(self.context, kept)), judged

    def concluded(
        self,
        judged: Judgement,
        findings: Sequence[Finding],
        instances: pl.DataFrame,
    ) -> tuple[tuple[Finding, ...], Conformance | None]:
        """The findings with those about contracts and with owners; and what became of each
        declaration. `instances`: columns id and workflow by code."""
        if not self.declared.sources:
            return tuple(findings), None
        ran = Ran.of(self.context.spans, self.context.table)
        checks, broken = held_against(self.declared.contracts, ran)
        workflows = judged.checked(instances)
        every = (*findings, *judged.unmatched(), *broken)
        conformance = Conformance(self.declared.sources, workflows, checks)
        return with_owners(every, judged, workflows), conformance
