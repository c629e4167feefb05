"""The findings as JSON lines: a header that says what was read, then one finding a line."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.escape import json_text
from analyzer.reporters.context import Context
from analyzer.reporters.json import document

LEFT_OUT = ("findings", "workflows", "services", "edges", "hotspots")  # ask for json


def render(analysis: Analysis, context: Context) -> str:
    """Lines of JSON. `type` is `header` in the first and `finding` in the others."""
    whole = document(analysis, context)
    header = {name: value for name, value in whole.items() if name not in LEFT_OUT}
    head = json_text({"type": "header", **header, "findings": len(whole["findings"])})
    lines = [json_text({"type": "finding", **finding}) for finding in whole["findings"]]
    return "\n".join([head, *lines]) + "\n"
