"""What is acknowledged is on disk; what is damaged costs itself only."""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.store.frames import Damage, Frame, Kind, Request, encoded, scan
from collectors.store.layout import StoreError
from collectors.store.log import Overloaded, Unstored
from collectors.store.store import Store
from tests.store.disks import BrokenDisk, ForgetfulDisk, FullDisk
from tests.store.requests import numbers, request, segments, stored

SALT = b"0123456789abcdef"
BODIES = st.lists(st.binary(max_size=80), min_size=1, max_size=8)


def written(bodies: list[bytes]) -> bytes:
    requests = [Request.packed(Kind.OTLP_JSON, body) for body in bodies]
    return b"".join(b"".join(encoded(r, n, 7, SALT)) for n, r in enumerate(requests, 1))


def test_requests_come_back_as_they_were(tmp_path: Path) -> None:
    """Received = stored, before and after compaction, and in a later process."""
    with Store(tmp_path / "s", compacting=False) as store:
        for future in [store.append(request(number)) for number in range(50)]:
            future.result()
        assert numbers(tmp_path / "s") == set(range(50))
        store.compact()
        assert not list(segments(tmp_path / "s"))
        assert numbers(tmp_path / "s") == set(range(50))
    with Store(tmp_path / "s", compacting=False) as store:
        assert store.append(request(50)).result() == 51
        assert numbers(tmp_path / "s") == set(range(51))


@given(BODIES)
def test_frames_are_read_as_written(bodies: list[bytes]) -> None:
    """Scanning gives back every payload, in order, and no damage."""
    found = list(scan(written(bodies), SALT))
    assert [item.request.body() for item in found if isinstance(item, Frame)] == bodies
    assert [item.sequence for item in found] == list(range(1, len(bodies) + 1))


@given(BODIES, st.data())
def test_a_flipped_bit_costs_one_frame_and_is_told(
    bodies: list[bytes], data: st.DataObject
) -> None:
    """One flip anywhere: all other frames are read, and the damage is not silent."""
    good = written(bodies)
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    found = list(scan(bytes(bad), SALT))
    kept = [item.sequence for item in found if isinstance(item, Frame)]
    lost = set(range(1, len(bodies) + 1)) - set(kept)
    assert len(lost) == 1
    end = found[-1].end if found else 0
    assert any(isinstance(item, Damage) for item in found) or end < len(bad)


@given(BODIES, st.data())
def test_a_torn_tail_costs_what_was_torn(bodies: list[bytes], data: st.DataObject) -> None:
    """Cut anywhere: every frame that is whole is read."""
    good = written(bodies)
    ends = [item.end for item in scan(good, SALT)]
    cut = data.draw(st.integers(0, len(good)))
    kept = [item for item in scan(good[:cut], SALT) if isinstance(item, Frame)]
    assert len(kept) == sum(end <= cut for end in ends)


def test_a_frame_inside_a_payload_is_not_read_as_one() -> None:
    """Without the store's salt nobody can write what resynchronising takes for a frame."""
    inner = b"".join(encoded(Request(Kind.OTLP_JSON, b"evil", 0, 4), 99, 7, b"guess"))  # type: ignore[arg-type]
    outer = b"".join(encoded(Request(Kind.OTLP_JSON, inner, 0, len(inner)), 1, 7, SALT))  # type: ignore[arg-type]
    damaged = bytes([outer[0] ^ 1]) + outer[1:]
    assert all(isinstance(item, Damage) for item in scan(damaged, SALT))


def acknowledged(futures: list[Future[int]]) -> set[int]:
    return {number for number, one in enumerate(futures) if one.exception() is None}


@pytest.mark.parametrize("compacting", [False, True])
def test_a_power_cut_loses_nothing_acknowledged(tmp_path: Path, compacting: bool) -> None:
    """Whenever the power goes: every acknowledged request is in what was synced."""
    disk = ForgetfulDisk(tmp_path / "shadow")
    with Store(tmp_path / "s", files=disk, segment=600, compacting=False) as store:
        for cycle in range(40):
            futures = [store.append(request(number)) for number in range(cycle * 5, cycle * 5 + 5)]
            assert acknowledged(futures) == set(range(5))
            if compacting and cycle % 3 == 2:
                store.compact()
            disk.image(tmp_path / "s", tmp_path / "image")
            assert numbers(tmp_path / "image") == set(range(cycle * 5 + 5))
            shutil.rmtree(tmp_path / "image")


def test_without_sync_a_power_cut_loses_requests(tmp_path: Path) -> None:
    """The test above can fail: the same without fdatasync loses what was acknowledged."""
    disk = ForgetfulDisk(tmp_path / "shadow", syncs=False)
    with Store(tmp_path / "s", compacting=False) as store:
        store.log._files = disk  # the identity was synced; the log is not
        store.append(request(1)).result()
        disk.image(tmp_path / "s" / "log", tmp_path / "image")
        assert sum(path.stat().st_size for path in (tmp_path / "image").iterdir()) == 0


def test_a_full_disk_refuses_and_then_goes_on(tmp_path: Path) -> None:
    """No space: nothing is acknowledged; space again: the next request is; nothing is torn."""
    disk = FullDisk(room=10_000)
    with Store(tmp_path / "s", files=disk, compacting=False) as store:
        futures = []
        for number in range(100):
            futures.append(store.append(request(number)))
            futures[-1].exception()  # one after the other: a group is refused whole
        first = acknowledged(futures)
        assert 0 < len(first) < 100
        assert isinstance(futures[99].exception(), Unstored)
        assert "No space left" in store.log.last_error
        disk.room = 1 << 20
        assert store.append(request(100)).result()
        assert store.log.last_error == ""
    assert numbers(tmp_path / "s") == first | {100}
    assert not stored(tmp_path / "s").intake.rejected


def test_a_failed_sync_is_never_tried_again(tmp_path: Path) -> None:
    """EIO from fdatasync: not acknowledged, and the next group goes to a new segment."""
    disk = BrokenDisk()
    with Store(tmp_path / "s", files=disk, compacting=False) as store:
        assert store.append(request(0)).result()
        disk.broken = True
        assert isinstance(store.append(request(1)).exception(), Unstored)
        disk.broken = False
        assert store.append(request(2)).result()
        assert not disk.again
    assert len(list(segments(tmp_path / "s"))) == 2
    assert {0, 2} <= numbers(tmp_path / "s")


def test_more_than_memory_is_set_aside_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overload is told at once, never by running out of memory."""
    monkeypatch.setattr("collectors.store.log.WAITING", 600)
    with Store(tmp_path / "s", compacting=False) as store, store.log._condition:
        for number in range(3):
            store.append(request(number))
        with pytest.raises(Overloaded):
            store.append(request(3, spans=20))


def test_one_process_writes_a_store(tmp_path: Path) -> None:
    """The second one is told who has it."""
    with Store(tmp_path / "s", compacting=False), pytest.raises(StoreError, match="in use by pro"):
        Store(tmp_path / "s", compacting=False)
    Store(tmp_path / "s", compacting=False).close()


def test_folders_that_are_no_store_are_refused(tmp_path: Path) -> None:
    """A foreign folder, a newer version, a broken identity: a line that says what is wrong."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to_mother.txt").touch()
    with pytest.raises(StoreError, match=r"not empty \(it holds to_mother\.txt\)"):
        Store(tmp_path / "letters")
    Store(tmp_path / "s", compacting=False).close()
    identity = tmp_path / "s" / "store.json"
    told = identity.read_text()
    identity.write_text(told.replace('"version": 1', '"version": 99'))
    with pytest.raises(StoreError, match="newer choreoscope"):
        Store(tmp_path / "s")
    identity.write_text(told[:10])
    with pytest.raises(StoreError, match="cannot be understood"):
        Store(tmp_path / "s")


def test_a_store_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Folders 0700, files 0600."""
    with Store(tmp_path / "s", compacting=False) as store:
        store.append(request(1)).result()
        store.compact()
        store.append(request(2)).result()
    for path in (tmp_path / "s").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
