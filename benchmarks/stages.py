"""Where the CPU of one analysis goes: a table of its stages, and the lines that cost the most.

    python -m benchmarks.stages FILE [--lines 40]

In one process, so that imports stand apart. The lines come from a timer that looks a thousand
times a CPU second: trust what is large, and run it twice.
"""

from __future__ import annotations

import argparse
import linecache
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("analyzer", "collectors")
TICK_S = 0.001
Line = tuple[str, int]


class Stages:
    """CPU seconds by stage, in order; the time since the last mark belongs to the one named."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = _cpu_s()

    def mark(self, stage: str) -> None:
        """`stage` ends here."""
        now = _cpu_s()
        self.spent[stage] = self.spent.get(stage, 0.0) + now - self._last
        self._last = now

    def following(self) -> Callable[[str], None]:
        """For `progress`, which names the stage that begins."""
        current = ["stitching"]

        def tell(stage: str) -> None:
            self.mark(current[0])
            current[0] = stage

        return tell


class Sampler:
    """CPU seconds by the innermost line of this project."""

    def __init__(self) -> None:
        self.lines: Counter[Line] = Counter()
        self._last = time.process_time()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, TICK_S, TICK_S)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        now = time.process_time()
        while frame is not None and not _ours(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is not None:
            self.lines[frame.f_code.co_filename, frame.f_lineno] += now - self._last  # type: ignore[assignment]
        self._last = now


def _ours(file: str) -> bool:
    return any(file.startswith(f"{ROOT / room}/") for room in ROOMS)


def _cpu_s() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def run(file: Path, sampler: Sampler | None) -> tuple[dict[str, float], int]:
    """(CPU seconds by stage, spans) of reading, analysing and reporting `file`."""
    stages = Stages()
    import collectors.reading
    from analyzer.pipeline import analyze_recording
    from analyzer.reporters import json, text
    from analyzer.reporters.context import Context

    stages.mark("imports")
    if sampler:
        sampler.start()
    recording = collectors.reading.read([file])
    stages.mark("read")
    analysis = analyze_recording(recording, progress=stages.following())
    stages.mark("findings, workflows")
    json.render(analysis, Context())
    stages.mark("JSON report")
    text.render(analysis, Context())
    stages.mark("text report")
    if sampler:
        sampler.stop()
    return stages.spent, len(recording.spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--lines", type=int, default=0, help="also the lines that cost the most")
    given = parser.parse_args()
    sampler = Sampler() if given.lines else None
    spent, spans = run(given.file, sampler)
    print("| stage | CPU s | us a span |\n|---|---|---|")
    for stage, seconds in [*spent.items(), ("all", sum(spent.values()))]:
        print(f"| {stage} | {seconds:.2f} | {seconds / max(spans, 1) * 1e6:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"\n{spans:,} spans, peak {peak:,.0f} MB")
    for (file, number), seconds in sampler.lines.most_common(given.lines) if sampler else ():
        where = f"{Path(file).relative_to(ROOT)}:{number}"
        print(f"{seconds:7.3f}  {where}  {linecache.getline(file, number).strip()[:80]}")


if __name__ == "__main__":
    main()
