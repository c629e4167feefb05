"""A scenario as a file that nobody has to write: its OTLP JSON lines, made while they are read."""

from __future__ import annotations

import io

from collectors.simulate.otlp import to_json
from collectors.simulate.run import simulate
from collectors.simulate.scenario import Scenario


class SimulatedFile(io.RawIOBase):
    """The bytes that `write` puts into a `.jsonl` file; one chunk of them is in memory."""

    def __init__(self, scenario: Scenario) -> None:
        self._requests, _ = simulate(scenario)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer from the request at hand; 0 at the end."""
        while not self._rest:
            request = next(self._requests, None)
            if request is None:
                return 0
            self._rest = memoryview(to_json(request) + b"\n")
        view = memoryview(buffer)  # type: ignore[arg-type]
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
