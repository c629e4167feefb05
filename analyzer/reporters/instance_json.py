"""One instance with its steps, edges and findings as JSON."""

from __future__ import annotations

from typing import Any

from analyzer.analysis import Instance
from analyzer.escape import json_text
from analyzer.graphs import expected_steps, steps_with_ids
from analyzer.reporters.instances import fields
from analyzer.reporters.json import SCHEMA_VERSION, finding_fields, number, seconds, waiting_for
from analyzer.reporters.lanes import missing_parents
from analyzer.reporters.units import rfc3339


def render(instance: Instance) -> str:
    """One JSON document: `instance` as in `instances`, then what it is made of."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "as_of": rfc3339(instance.analysis.as_of_ns),
        "instance": fields(dict(instance.fields)),
        "steps": _steps(instance),
        "edges": _edges(instance),
        "expected": [
            waiting_for(waiting.service, waiting.step, waiting.destination)
            for waiting, _ in expected_steps(instance)
        ],
        "findings": [
            finding_fields(f) for f in sorted(instance.findings, key=lambda f: f.sort_key)
        ],
    }
    return json_text(document, indent=2) + "\n"


def _steps(instance: Instance) -> list[dict[str, Any]]:
    missing = missing_parents(instance)
    out = []
    for row in steps_with_ids(instance).iter_rows(named=True):
        start, end = row.pop("start_ns"), row.pop("end_ns")
        out.append(
            {
                "id": row.pop("step"),
                "service": row.pop("service"),
                "step": row.pop("operation"),
                **row,
                "start": rfc3339(start),
                "end": rfc3339(end),
            }
        )
        out[-1]["missing_parent"] = missing.get(out[-1]["id"])
    return out


def _edges(instance: Instance) -> list[dict[str, Any]]:
    return [
        {
            "source": row["source"],
            "target": row["target"],
            "kind": row["kind"],
            "tier": row["tier"],
            "confidence": number(row["confidence"]),
            "wait_s": seconds(row["wait_ns"]),
            "skew_s": seconds(row["skew_ns"]),
        }
        for row in instance.edges.sort("source", "target", "tier").iter_rows(named=True)
    ]
