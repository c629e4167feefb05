"""Steps of every instance and the edges between them, in numpy columns."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from analyzer.codes import Flags, Ints


@dataclass(frozen=True)
class StepTable:
    """Steps sorted by (instance, start, row), and edges between them, in numpy columns.

    `row` points into the recording's spans; `source` and `target` of an edge are positions
    in the step columns. Instances are dense codes.
    """

    instance: Ints
    row: Ints
    role: Ints
    label: Ints
    start: Ints
    end: Ints
    error: Flags
    shared: Flags
    source: Ints
    target: Ints
    tier: Ints
    wait: Ints
    skew: Ints
    trace: Ints  # by step: code of its trace
    received: Flags  # by step: a span took this message, whether or not a step came of it
    receipts: pl.DataFrame  # columns step, service: took the message, and no step came of it
    instance_of_row: Ints  # by span; -1 where a span belongs to no instance
    component: Ints  # by instance: code of its component

    def __len__(self) -> int:
        return len(self.row)

    @property
    def instances(self) -> int:
        """Number of instances."""
        return len(self.component)
