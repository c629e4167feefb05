"""r4pm (Rust) on an event log with the case id given: load, variants, directly-follows graph.

python benchmarks/peers/r4pm_variants.py LOG.parquet ANSWER.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import r4pm

LOG = "process_mining::core::event_data::case_centric::utils::activity_projection"
DFG = "process_mining::discovery::case_centric::dfg::discover_dfg"


def call(binding: str, **arguments: str) -> Any:
    """One binding, arguments and result as JSON where r4pm wants text."""
    result = r4pm.call_binding(binding, json.dumps(arguments))
    try:
        return json.loads(result) if isinstance(result, str) else result
    except ValueError:
        return result  # an item's id


def main() -> None:
    laps: dict[str, float] = {}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        before = time.process_time()
        result = work()
        laps[what] = round(time.process_time() - before, 3)
        return result

    frame = pl.read_parquet(sys.argv[1])
    log = timed("load", lambda: r4pm.import_item_from_df("EventLog", frame))
    dfg = timed("dfg", lambda: call(DFG, event_log=log))
    projection = timed("projection", lambda: call(f"{LOG}::log_to_activity_projection", log=log))
    variants = timed("variants", lambda: call(f"{LOG}::get_variants", projection=projection))
    answer = {
        "events": frame.height,
        "variants": len(variants),
        "dfg": len(dfg["directly_follows_relations"]),
        "cpu_s": laps,
    }
    Path(sys.argv[2]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
