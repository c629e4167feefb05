"""Single traces come out of a store whole, from Parquet and from the log, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors import columnar
from collectors.store.fetch import traces
from collectors.store.store import Store
from tests.store.requests import request


def test_what_is_wanted_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path / "s", segment=900, compacting=False) as store:
        for number in range(20):
            store.append(request(number, spans=3)).result()
            if number % 7 == 6:
                store.compact()
    read: list[object] = []
    before = columnar.read_parquet
    monkeypatch.setattr(
        columnar, "read_parquet", lambda *a, **k: read.append(k["groups"]) or before(*a, **k)
    )
    found = traces(tmp_path / "s", {(0, 3), (0, 19), (0, 500), (9, 3)})
    names = sorted(name for part in found for name in part.spans["name"].cast(str))
    assert names == ["18"] * 3 + ["2"] * 3
    assert read == [[0]], "of three files only the one that holds a wanted trace is read"
    assert traces(tmp_path / "s", {(1, 1)}) == []
