"""GitLab's code quality report: a JSON array that merge requests compare by fingerprint."""

from __future__ import annotations

import hashlib
from typing import Any

from analyzer.analysis import Analysis
from analyzer.escape import escape, json_text
from analyzer.reporters.context import Context
from analyzer.reporters.faults import Fault, anchor, faults
from analyzer.reporters.style import prose

SEVERITIES = {"error": "critical", "warning": "major", "note": "info"}
MOST = 5_000  # entries; GitLab reads the whole file for each merge request
_BLOCKER = "blocker"


def render(analysis: Analysis, context: Context) -> str:
    """An entry a fault; what makes the run fail whatever was found is a blocker."""
    path = escape(anchor(analysis, context))
    entries = [
        _entry(said, "input", hashlib.blake2b(said.split(":")[0].encode(), digest_size=16), path)
        for said in context.obstacles(analysis)
    ]
    found = faults(analysis.findings)
    entries += [_fault(fault, path) for fault in found[:MOST]]
    if len(found) > MOST:
        said = f"+{len(found) - MOST:,} more findings are not shown"
        entries.append(_entry(said, "cut", hashlib.blake2b(b"cut", digest_size=16), path, "info"))
    return json_text(entries, indent=1) + "\n"


def _fault(fault: Fault, path: str) -> dict[str, Any]:
    severity = SEVERITIES[fault.worst.severity.value]
    return _fields(prose(fault.told, 1000), prose(fault.kind), fault.fingerprint, severity, path)


def _entry(
    said: str, check: str, identity: hashlib.blake2b, path: str, severity: str = _BLOCKER
) -> dict[str, Any]:
    return _fields(said, check, identity.hexdigest(), severity, path)


def _fields(said: str, check: str, fingerprint: str, severity: str, path: str) -> dict[str, Any]:
    return {
        "description": said,
        "check_name": check,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": 1}},
    }
