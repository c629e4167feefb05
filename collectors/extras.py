"""How to install an extra that is wanting: as this installation was made."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import unquote, urlsplit

NAME = "choreoscope"


def how(extra: str) -> str:
    """The command: "pip install 'choreoscope[browser]'", or with the checkout it came from."""
    return f"pip install {_named(extra, _origin())}"


def _origin() -> dict[str, object]:
    """PEP 610: where it was installed from; empty where that was a registry, or is not known."""
    try:
        found = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _named(extra: str, origin: dict[str, object]) -> str:
    url, folder, archive = origin.get("url"), origin.get("dir_info"), origin.get("vcs_info")
    if not isinstance(url, str):
        return shlex.quote(f"{NAME}[{extra}]")
    if isinstance(archive, dict):
        at = f"@{archive['commit_id']}" if archive.get("commit_id") else ""
        return shlex.quote(f"{NAME}[{extra}] @ {archive.get('vcs', 'git')}+{url}{at}")
    if not url.startswith("file:"):
        return shlex.quote(f"{NAME}[{extra}] @ {url}")
    editable = "-e " if isinstance(folder, dict) and folder.get("editable") else ""
    return editable + shlex.quote(f"{unquote(urlsplit(url).path)}[{extra}]")
