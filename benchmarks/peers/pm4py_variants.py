"""pm4py on an event log with the case id given: variants, directly-follows graph, timing.

    python benchmarks/peers/pm4py_variants.py LOG.parquet ANSWER.json

pm4py is AGPL: a process of its own in an environment of its own, never a dependency.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd


def main() -> None:
    laps: dict[str, float] = {}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        before = time.process_time()
        result = work()
        laps[what] = round(time.process_time() - before, 3)
        return result

    with contextlib.redirect_stdout(io.StringIO()):
        import pm4py
    log = timed("load", lambda: pd.read_parquet(sys.argv[1]))
    dfg = timed("dfg", lambda: pm4py.discover_dfg(log)[0])
    variants = timed("variants", lambda: pm4py.get_variants(log))
    timed("performance dfg", lambda: pm4py.discover_performance_dfg(log))
    if "--profile" in sys.argv:
        timed("temporal profile", lambda: pm4py.discover_temporal_profile(log))
    answer = {"events": len(log), "variants": len(variants), "dfg": len(dfg), "cpu_s": laps}
    Path(sys.argv[2]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
