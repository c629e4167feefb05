"""The chance of one instance: the same numbers whatever the shape of its spans."""

from __future__ import annotations

from math import exp
from typing import Final
from zlib import crc32

import numpy as np

from collectors.simulate.scenario import Scenario

DRAWN: Final = 64  # of each kind for every instance at once; more are drawn one by one


class Dice:
    """A stream of random numbers that was drawn beforehand."""

    def __init__(self, seed: tuple[int, ...], uniforms: list[float], normals: list[float]) -> None:
        self._seed = seed
        self._uniforms = uniforms
        self._normals = normals
        self._more: np.random.Generator | None = None

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return self._uniforms.pop() if self._uniforms else float(self.more.random())

    def normal(self) -> float:
        """A standard normal number."""
        return self._normals.pop() if self._normals else float(self.more.standard_normal())

    def spread(self, median: float, sigma: float) -> int:
        """A log-normal number around `median`."""
        return int(median * exp(sigma * self.normal()))

    @property
    def more(self) -> np.random.Generator:
        """Where numbers come from once the drawn ones are used up."""
        if self._more is None:
            self._more = np.random.default_rng(self._seed)
        return self._more


class Usual(Dice):
    """No chance at all: the median of everything."""

    def __init__(self) -> None:
        super().__init__((0,), [], [])

    def uniform(self) -> float:
        """Never below a share under one half, so that no loop is taken."""
        return 0.5

    def normal(self) -> float:
        """The median."""
        return 0.0


def deal(seed: int, chunk: int, count: int) -> list[Dice]:
    """The dice of `count` instances of one chunk."""
    generator = np.random.default_rng((seed, 1, chunk))
    uniforms = generator.random((count, DRAWN)).tolist()
    normals = generator.standard_normal((count, DRAWN)).tolist()
    return [Dice((seed, 2, chunk, i), uniforms[i], normals[i]) for i in range(count)]


class Ids:
    """Hex digits by chance, cut from blocks."""

    def __init__(self, scenario: Scenario, chunk: int) -> None:
        told = (scenario.system, scenario.style, scenario.shape, scenario.semconv, scenario.broker)
        name = crc32(" ".join(told).encode())  # two scenarios of one seed may be read side by side
        self._generator = np.random.default_rng((scenario.seed, 3, chunk, name))
        self._block, self._at = "", 0

    def take(self, digits: int) -> str:
        """That many digits; never all zero for 16 and more, as good as surely."""
        if self._at + digits > len(self._block):
            self._block, self._at = self._generator.bytes(1 << 16).hex(), 0
        self._at += digits
        return self._block[self._at - digits : self._at]
