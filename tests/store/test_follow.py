"""A follower gets every request once, in order, while the store is written and compacted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from collectors import read
from collectors.store.follow import File, Follower
from collectors.store.frames import Frame
from collectors.store.store import Store
from tests.store.requests import request


def taken(follower: Follower) -> list[int]:
    """The numbers of the requests that were given out."""
    found: list[int] = []
    for item in follower.poll():
        if isinstance(item, Frame):
            text = item.request.body().decode()
            found.append(int(text.split('"name":"')[1].split('"')[0]))
        else:
            assert isinstance(item, File)
            names = read([item.path]).spans["name"].cast(str).to_list()
            found += sorted(int(name) for name in names)
    return found


def test_it_reads_on_where_it_stopped(tmp_path: Path) -> None:
    """Across segments, without anything twice."""
    with Store(tmp_path / "s", segment=900, compacting=False) as store:
        follower = Follower(tmp_path / "s")
        assert taken(follower) == []
        for number in range(40):
            store.append(request(number)).result()
            if number % 7 == 6:
                assert taken(follower) == list(range(number - 6, number + 1))
        assert taken(follower) == list(range(35, 40))
        assert taken(follower) == []
        follower.close()


def test_it_begins_after_a_sequence_number(tmp_path: Path) -> None:
    """As after a restart."""
    with Store(tmp_path / "s", segment=900, compacting=False) as store:
        for number in range(20):
            store.append(request(number)).result()
        first = Follower(tmp_path / "s")
        assert taken(first) == list(range(20))
        for number in range(20, 30):
            store.append(request(number)).result()
        second = Follower(tmp_path / "s", after=first.sequence)
        assert taken(second) == list(range(20, 30))


def test_what_was_compacted_meanwhile_is_read_from_its_file(tmp_path: Path) -> None:
    """Nothing is missing, whether the follower was behind or just in time."""
    with Store(tmp_path / "s", segment=900, compacting=False) as store:
        follower = Follower(tmp_path / "s")
        found: set[int] = set()
        for number in range(60):
            store.append(request(number)).result()
            if number % 11 == 5:
                found |= set(taken(follower))
                assert found == set(range(number + 1))
            if number % 13 == 12:
                store.compact()
        found |= set(taken(follower))
        assert found == set(range(60))


def test_it_keeps_up_with_a_writer(tmp_path: Path) -> None:
    """Reading while another thread writes: each once, in order."""
    found: list[int] = []
    done = threading.Event()

    def write() -> None:
        with Store(tmp_path / "s", segment=2000, compacting=False) as store:
            for number in range(200):
                store.append(request(number)).result()
        done.set()

    Store(tmp_path / "s", compacting=False).close()
    follower = Follower(tmp_path / "s")
    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found += taken(follower)
    writer.join()
    found += taken(follower)
    assert found == list(range(200))


@pytest.mark.parametrize("compacted", [False, True])
def test_what_comes_between_two_looks_is_not_skipped(tmp_path: Path, compacted: bool) -> None:
    """The segment that is read gets one more request, and another follows it, after it was read
    to its end and before the next one is looked for."""
    with Store(tmp_path / "s", compacting=False) as store:

        class Late(Follower):
            def _following(self) -> Path | File | None:
                if self.sequence == 1:
                    store.append(request(1)).result()
                    store.log.roll()
                    if compacted:
                        store.compact()
                    store.append(request(2)).result()
                return super()._following()

        store.append(request(0)).result()
        follower = Late(tmp_path / "s")
        assert taken(follower) == [0, 1, 2]
