"""Which steps of the recording a declared name means, and which instances are of a workflow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints
from analyzer.conformance.expectations import Expectations, StepName, Workflow
from analyzer.context import Context
from analyzer.steps.table import StepTable

NEVER = np.iinfo(np.int64).max  # start of a step that did not come


def glob(pattern: str) -> str:
    """A pattern with `*` and `?` as a regular expression for the linear engine of polars."""
    parts = re.split(r"([*?])", pattern)
    text = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return f"^(?s:{text})$"


def matching(pattern: str, names: pl.Series) -> Flags:
    """Which of the names (strings) the pattern means; null never."""
    if not _is_glob(pattern):
        return (names == pattern).fill_null(False).to_numpy()
    return names.str.contains(glob(pattern)).fill_null(False).to_numpy()


def means(pattern: str, name: str) -> bool:
    """Whether the pattern means this one name."""
    if not _is_glob(pattern):
        return pattern == name
    return bool(matching(pattern, pl.Series([name]))[0])


def _is_glob(pattern: str) -> bool:
    return any(char in pattern for char in "*?")


def extended(labels: pl.DataFrame, expectations: Expectations) -> pl.DataFrame:
    """The table of labels with the declared steps behind it that the recording does not have:
    what never came can be waited for by its name."""
    wanted = {
        (step.name.service, step.name.operation): None
        for workflow in expectations.workflows
        for step in workflow.steps
        if step.name.fixed
    }
    known = set(labels.cast(pl.String).iter_rows())
    absent = sorted((s, o) for s, o in wanted if s is not None and (s, o) not in known)
    if not absent:
        return labels
    schema = {"service": pl.String, "operation": pl.String}
    more = pl.DataFrame(absent, schema=schema, orient="row").cast(pl.Categorical())
    return pl.concat([labels, more])


@dataclass(frozen=True)
class Cases:
    """The instances of one declared workflow, in numpy columns by case."""

    instance: Ints  # ascending
    start: Ints  # of the first step of `starts`
    step: Ints  # that step


class Finder:
    """Looks up steps by declared names; every answer is by instance of the whole table."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.table: StepTable = context.table
        self._labels: dict[StepName, Ints] = {}

    def labels(self, names: Iterable[StepName]) -> Ints:
        """Codes of the labels that any of the names means, ascending."""
        found = [self._of(name) for name in names]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def _of(self, name: StepName) -> Ints:
        if name not in self._labels:
            service, operation, both = self._names
            meant = matching(name.operation, operation) | matching(name.operation, both)
            if name.service is not None:
                meant &= matching(name.service, service)
            self._labels[name] = np.flatnonzero(meant)
        return self._labels[name]

    @cached_property
    def _names(self) -> tuple[pl.Series, pl.Series, pl.Series]:
        labels = self.context.labels.cast(pl.String)
        both = labels.select(pl.concat_str("service", pl.lit(": "), "operation")).to_series()
        return labels["service"], labels["operation"], both

    @cached_property
    def _by_label(self) -> tuple[Ints, Ints]:
        """(steps in order of their label, first of each label in there)."""
        order = np.argsort(self.table.label, kind="stable")
        bounds = np.searchsorted(
            self.table.label[order], np.arange(len(self.context.labels) + 1), "left"
        )
        return order, bounds

    def steps(self, names: Iterable[StepName]) -> Ints:
        """Positions of all steps that any of the names means, ascending: by instance, by start."""
        order, bounds = self._by_label
        parts = [order[bounds[label] : bounds[label + 1]] for label in self.labels(names).tolist()]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)

    def count(self, steps: Ints) -> Ints:
        """How many of the steps each instance has."""
        return np.bincount(self.table.instance[steps], minlength=self.table.instances)

    def first(self, steps: Ints) -> tuple[Ints, Ints]:
        """(start of the first of the steps, its position) by instance; NEVER and -1 without."""
        start = np.full(self.table.instances, NEVER, dtype=np.int64)
        position = np.full(self.table.instances, -1, dtype=np.int64)
        instance = self.table.instance[steps[::-1]]  # steps are by start: the first one stays
        start[instance] = self.table.start[steps[::-1]]
        position[instance] = steps[::-1]
        return start, position

    @cached_property
    def last(self) -> Ints:
        """Position of the last step of each instance."""
        everything = np.arange(self.table.instances)
        return np.searchsorted(self.table.instance, everything, "right") - 1

    def cases(self, starts: Sequence[StepName]) -> Cases:
        """The instances that have one of the steps that the workflow starts with."""
        start, position = self.first(self.steps(starts))
        instance = np.flatnonzero(position >= 0)
        return Cases(instance, start[instance], position[instance])

    def strays(self, workflow: Workflow, cases: Cases) -> Ints:
        """Instances that have declared steps of the workflow, and not its beginning."""
        named = self.steps(step.name for step in workflow.steps)
        holding = np.unique(self.table.instance[named])
        return np.setdiff1d(holding, cases.instance, assume_unique=True)
