"""Compaction changes the files and never what is stored, wherever it stops."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from collectors import read
from collectors.store import manifest
from collectors.store.files import Files
from collectors.store.layout import StoreError, found
from collectors.store.retention import Retention
from collectors.store.snapshot import snapshot
from collectors.store.store import Store, tidy
from tests.store.requests import numbers, request, segments, stored


class Stopped(BaseException):
    """The process ends here."""


class StopsAt(Files):
    """Ends the process before its nth call that changes the disk."""

    CALLS = ("sync_path", "rename", "remove", "publish")

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __getattribute__(self, name: str) -> object:
        if name in StopsAt.CALLS:
            self.left -= 1
            if self.left < 0:
                raise Stopped
        return super().__getattribute__(name)


def filled(folder: Path, count: int = 30, segment: int = 900) -> None:
    """A store whose log has several segments."""
    with Store(folder, segment=segment, compacting=False) as store:
        for number in range(count):
            store.append(request(number)).result()


@pytest.mark.parametrize("step", range(8))
def test_a_crash_at_any_step_changes_nothing(tmp_path: Path, step: int) -> None:
    """Stopped before any of its steps: the same spans, each once, before and after going on."""
    filled(tmp_path / "s")
    layout = found(tmp_path / "s")
    try:
        tidy(layout, layout.segments(), Retention(), StopsAt(step))
    except Stopped:
        pass
    else:
        assert step >= 4
    assert numbers(tmp_path / "s") == set(range(30))
    assert len(stored(tmp_path / "s").spans) == 30
    assert stored(tmp_path / "s").intake.duplicates == 0
    with Store(tmp_path / "s", compacting=False) as store:
        store.compact()
        assert not list(segments(tmp_path / "s"))
    assert stored(tmp_path / "s").intake.duplicates == 0
    assert numbers(tmp_path / "s") == set(range(30))


def test_a_reader_sees_each_span_once_while_compaction_runs(tmp_path: Path) -> None:
    """Reading all the while: never a span less than was acknowledged before, never one twice."""
    done = threading.Event()
    acknowledged, reads = -1, 0

    def write() -> None:
        nonlocal acknowledged
        with Store(tmp_path / "s", segment=1500, compacting=False) as store:
            for number in range(200):
                store.append(request(number)).result()
                acknowledged = number
                if number % 10 == 9:
                    store.compact()
                until = time.monotonic() + 10
                while reads < number // 40 and time.monotonic() < until:
                    time.sleep(0.001)  # a slow reader gets its turns as well
        done.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    while not done.is_set():
        if acknowledged < 0:
            continue
        before = acknowledged
        found = stored(tmp_path / "s")
        assert {int(name) for name in found.spans["name"].cast(str)} >= set(range(before + 1))
        assert found.intake.duplicates == 0
        reads += 1
    writer.join()
    assert reads > 3
    assert numbers(tmp_path / "s") == set(range(200))


def test_segments_are_compacted_as_they_fill(tmp_path: Path) -> None:
    """In a process of its own, without being asked."""
    with Store(tmp_path / "s", segment=900) as store:
        for number in range(30):
            store.append(request(number)).result()
        for _ in range(600):
            if manifest.load(store.layout).last >= 25:
                break
            threading.Event().wait(0.1)
        assert manifest.load(store.layout).last >= 25
        assert store.compaction_error == ""
    assert numbers(tmp_path / "s") == set(range(30))


def test_flipped_bits_in_the_log_cost_one_request_each(tmp_path: Path) -> None:
    """200 single flips: none silent, none costs more than one record; what was lost is kept."""
    filled(tmp_path / "s", count=10, segment=1 << 20)
    (segment,) = segments(tmp_path / "s")
    good = segment.read_bytes()
    chance = random.Random(7)
    for _ in range(200):
        bad = bytearray(good)
        bit = chance.randrange(len(bad) * 8)
        bad[bit // 8] ^= 1 << bit % 8
        segment.write_bytes(bad)
        found = stored(tmp_path / "s")
        lost = 10 - len(found.spans)
        told = sum(found.intake.rejected.values())
        assert lost == 1
        assert told == 1 or bit // 8 >= len(good) - 400, "the last frame may look cut short"


def test_damage_goes_to_quarantine(tmp_path: Path) -> None:
    """A damaged frame is counted in the manifest, and its bytes are never deleted."""
    filled(tmp_path / "s", count=10, segment=1 << 20)
    (segment,) = segments(tmp_path / "s")
    bad = bytearray(segment.read_bytes())
    bad[len(bad) // 2] ^= 1
    segment.write_bytes(bad + b"half a frame")
    with Store(tmp_path / "s", compacting=False) as store:
        store.compact()
        (entry,) = manifest.load(store.layout).compacted
    assert entry.damaged == 2
    assert entry.spans == 9
    kept = sorted(path.read_bytes() for path in (tmp_path / "s" / "quarantine").iterdir())
    assert b"half a frame" in kept
    assert sum(map(len, kept)) > 100


def test_flipped_bits_in_parquet_are_never_silent(tmp_path: Path) -> None:
    """A flip in a compacted file: the same spans as before, or it is told."""
    filled(tmp_path / "s", count=10)
    with Store(tmp_path / "s", compacting=False) as store:
        store.compact()
    (path,) = (tmp_path / "s" / "parquet").iterdir()
    good, whole = path.read_bytes(), stored(tmp_path / "s")
    chance = random.Random(7)
    for _ in range(60):
        bad = bytearray(good)
        bit = chance.randrange(len(bad) * 8)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        found = stored(tmp_path / "s")
        if not found.intake.rejected:
            assert found.spans.equals(whole.spans), bit
            assert found.attributes.equals(whole.attributes), bit


def test_retention_by_size_and_age(tmp_path: Path) -> None:
    """The oldest files go, the manifest tells how far, and readers do not miss them."""
    filled(tmp_path / "s")
    with Store(tmp_path / "s", compacting=False) as store:
        store.compact()
        for number in range(30, 40):
            store.append(request(number)).result()
        store.compact()
        first, second = manifest.load(store.layout).compacted
    with Store(tmp_path / "s", keep=Retention(bytes=second.bytes), compacting=False) as store:
        store.compact()
        assert manifest.load(store.layout).compacted == (second,)
        assert manifest.load(store.layout).removed == first.last
    assert numbers(tmp_path / "s") == set(range(30, 40))
    with Store(tmp_path / "s", keep=Retention(age_ns=1), compacting=False) as store:
        store.compact()
        assert store.append(request(40)).result() == 41
    assert numbers(tmp_path / "s") == {40}
    assert snapshot(tmp_path / "s").manifest.last == 40
    assert not os.listdir(tmp_path / "s" / "parquet")


def test_a_store_is_a_source(tmp_path: Path) -> None:
    """`store:DIR` reads like a file, also while it is written."""
    with Store(tmp_path / "s", compacting=False) as store:
        store.append(request(1)).result()
        store.compact()
        store.append(request(2)).result()
        found = read([f"store:{tmp_path / 's'}"])
    assert found.spans["name"].cast(str).to_list() == ["1", "2"]
    assert found.intake.sources == (f"store:{tmp_path / 's'}",)
    with pytest.raises(StoreError, match="is no store"):
        read([f"store:{tmp_path}"])
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file is no store: it is no folder"):
        read([f"store:{tmp_path / 'file'}"])
