"""What to install is said as this installation was made (PEP 610)."""

from __future__ import annotations

import pytest

from collectors import extras

COMMIT = "0123456789abcdef"


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({}, "pip install 'choreoscope[browser]'"),
        ({"url": 5}, "pip install 'choreoscope[browser]'"),
        ({"url": "file:///a%20b/c", "dir_info": {}}, "pip install '/a b/c[browser]'"),
        ({"url": "file:///c", "dir_info": {"editable": True}}, "pip install -e '/c[browser]'"),
        ({"url": "file:///c.whl", "archive_info": {}}, "pip install '/c.whl[browser]'"),
        ({"url": "file:///it's", "dir_info": {}}, """pip install '/it'"'"'s[browser]'"""),
        ({"url": "https://x/c.whl", "archive_info": {}},
         "pip install 'choreoscope[browser] @ https://x/c.whl'"),
        ({"url": "https://x/c", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
         f"pip install 'choreoscope[browser] @ git+https://x/c@{COMMIT}'"),
    ],
)  # fmt: skip
def test_the_command_fits_the_installation(
    monkeypatch: pytest.MonkeyPatch, origin: dict[str, object], said: str
) -> None:
    monkeypatch.setattr(extras, "_origin", lambda: origin)
    assert extras.how("browser") == said


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"url": null}'])
def test_an_origin_that_cannot_be_read_is_none(
    monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    class Found:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return text

    monkeypatch.setattr(extras, "distribution", lambda name: Found())
    assert extras.how("delta") == "pip install 'choreoscope[delta]'"


def test_every_hint_names_an_extra_that_there_is() -> None:
    """Of pyproject.toml; and no other sentence tells how to install one."""
    import re
    import tomllib
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    known = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found = set()
    for room in ("collectors", "analyzer", "tui"):
        for path in (root / room).rglob("*.py"):
            text = path.read_text()
            found |= set(re.findall(r"""extras\.how\(["'](\w+)["']\)""", text))
            if path.name != "extras.py":
                assert "choreoscope[" not in text, path
    assert found == {"apprise", "browser", "delta", "pytest", "telemetry"} & set(known)
    assert len(found) == 5
