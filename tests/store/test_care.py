"""`store verify|compact|export|repair`: each damaged place is named, and every span comes out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from analyzer.monitor.source import StoreSource
from collectors import read
from collectors.store import manifest
from collectors.store.export import export, piece, plain
from collectors.store.fetch import traces
from collectors.store.frames import Encoding, Kind, Request, encoded
from collectors.store.layout import StoreError, found
from collectors.store.repair import repair
from collectors.store.retention import Retention
from collectors.store.store import Store
from collectors.store.verify import verify
from tests.store.requests import numbers, request, segments, stored
from tests.support.spans import line
from tests.tui.conftest import Run, run  # noqa: F401 - a fixture

Frames = list[pl.DataFrame]


def mixed(folder: Path) -> None:
    """A store with Parquet files and a log."""
    with Store(folder, segment=900, compacting=False) as store:
        for number in range(20):
            store.append(request(number, spans=3)).result()
        store.compact()
        for number in range(20, 30):
            store.append(request(number, spans=3)).result()


def test_a_whole_store_is_called_whole(tmp_path: Path) -> None:
    mixed(tmp_path / "s")
    verdict = verify(tmp_path / "s")
    assert (verdict.damaged, verdict.notes) == ([], [])
    assert (verdict.requests, verdict.spans) == (30, 60)


def test_every_flipped_bit_is_named_with_its_place(tmp_path: Path) -> None:
    """In the log: the file and the bytes; in a Parquet file: the file, wherever it matters."""
    mixed(tmp_path / "s")
    chance = random.Random(5)
    whole = stored(tmp_path / "s")
    for path in (*segments(tmp_path / "s"), *(tmp_path / "s" / "parquet").iterdir()):
        good = path.read_bytes()
        for _ in range(20):
            bit = chance.randrange(len(good) * 8)
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            path.write_bytes(bad)
            verdict = verify(tmp_path / "s")
            if path.suffix == ".log":
                places = [*verdict.damaged, *verdict.notes]
                assert [one.file for one in places] == [f"log/{path.name}"]
                assert places[0].begin <= bit // 8 < places[0].end
            elif not verdict.damaged:
                assert stored(tmp_path / "s").spans.equals(whole.spans), bit
        path.write_bytes(good)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    mixed(tmp_path / "s")
    next((tmp_path / "s" / "parquet").iterdir()).unlink()
    [place] = verify(tmp_path / "s").damaged
    assert "is missing; it held 60 spans" in place.reason
    assert repair(tmp_path / "s")
    assert verify(tmp_path / "s").damaged == []
    assert numbers(tmp_path / "s") == set(range(20, 30))


@pytest.mark.parametrize("how", ["damaged", "lost"])
def test_the_manifest_is_made_anew(tmp_path: Path, how: str) -> None:
    """From what the Parquet files say of themselves: the same entries, the same spans."""
    mixed(tmp_path / "s")
    layout = found(tmp_path / "s")
    before = manifest.load(layout)
    if how == "damaged":
        layout.manifest.write_text("{")
        assert [one.file for one in verify(tmp_path / "s").damaged] == ["manifest.json"]
    else:
        layout.manifest.unlink()
        assert "is missing" in verify(tmp_path / "s").damaged[0].reason
    assert repair(tmp_path / "s")
    assert manifest.load(layout) == before
    assert numbers(tmp_path / "s") == set(range(30))
    assert verify(tmp_path / "s").damaged == []
    assert repair(tmp_path / "s") == ()


def flipped_salt(text: str) -> str:
    told = json.loads(text)
    salt = told.pop("salt")
    return json.dumps({"version": 1, "salt": ("1" if salt[0] == "0" else "0") + salt[1:]})


@pytest.mark.parametrize(
    "how", [None, lambda text: text[:10], lambda text: "[]", lambda text: "", flipped_salt]
)
def test_the_identity_is_made_anew(tmp_path: Path, how: Callable[[str], str] | None) -> None:
    """store.json lost, cut, foreign, empty, or a digit of its salt another: all can be read again.

    A file that does not say so itself: no checksum was in it before.
    """
    folder = tmp_path / "s"
    mixed(folder)
    identity = found(folder).identity
    text = identity.read_text()
    identity.unlink() if how is None else identity.write_text(how(text))
    if how is not flipped_salt:
        for opened in (found, verify, Store):
            with pytest.raises(StoreError, match="store repair"):
                opened(folder)
    assert "made store.json anew from the checksums of the log" in repair(folder)
    assert numbers(folder) == set(range(30))
    assert verify(folder).damaged == []
    assert repair(folder) == ()
    with Store(folder, compacting=False) as store:
        store.append(request(30)).result()
        store.compact()
    assert numbers(folder) == set(range(31))


def test_a_flipped_bit_of_the_salt_is_told(tmp_path: Path) -> None:
    """Else each request in the log would seem damaged, and go to quarantine."""
    mixed(tmp_path / "s")
    identity = found(tmp_path / "s").identity
    told = json.loads(identity.read_text())
    identity.write_text(json.dumps(told | {"salt": "f" * 32}))
    with pytest.raises(StoreError, match="checksum"):
        Store(tmp_path / "s")
    assert repair(tmp_path / "s")
    assert numbers(tmp_path / "s") == set(range(30))


def test_frames_inside_a_request_do_not_pretend_to_be_the_log(tmp_path: Path) -> None:
    """A payload full of another store's small frames: the salt is that of the frames around it."""
    foreign = b"".join(
        part for n in range(200) for part in encoded(request(n), n + 1, 5, b"another store")
    )
    with Store(tmp_path / "s", compacting=False) as store:
        store.append(Request(Kind.OTLP_JSON, foreign, Encoding.NONE, len(foreign))).result()
        store.append(request(7)).result()
    found(tmp_path / "s").identity.unlink()
    assert repair(tmp_path / "s")
    assert 7 in numbers(tmp_path / "s")
    assert verify(tmp_path / "s").requests == 2


def test_a_store_without_a_log_gets_another_identity(tmp_path: Path) -> None:
    """Everything is compacted: no checksum depends on the salt."""
    with Store(tmp_path / "s", compacting=False) as store:
        store.append(request(1)).result()
        store.compact()
    found(tmp_path / "s").identity.unlink()
    assert repair(tmp_path / "s") == ("made store.json anew",)
    assert numbers(tmp_path / "s") == {1}


def test_what_is_no_store_is_not_repaired(tmp_path: Path) -> None:
    """A foreign folder and a newer version stay as they are."""
    with pytest.raises(StoreError, match="is no store"):
        repair(tmp_path)
    assert list(tmp_path.iterdir()) == []
    Store(tmp_path / "s", compacting=False).close()
    identity = found(tmp_path / "s").identity
    identity.write_text(identity.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(StoreError, match="newer choreoscope"):
        repair(tmp_path / "s")
    assert "99" in identity.read_text()


def rich(folder: Path) -> None:
    """Spans with everything that can hang on one."""
    with Store(folder, compacting=False) as store:
        for number in range(7):
            span = {
                "traceId": f"{'f' * 15}{number + 1:017x}",
                "spanId": f"{0xFFFFFFFFFFFFFFF0 + number:016x}",
                "name": f"span {number}",
                "kind": 5,
                "startTimeUnixNano": str(1_700_000_000_000_001_000 + number),
                "endTimeUnixNano": str(1_700_000_000_000_002_000 + number),
                "attributes": [{"key": "order.id", "value": {"intValue": str(number)}}],
                "events": [{"timeUnixNano": "1700000000000001000", "name": "exception"}],
                "links": [
                    {"traceId": f"{n:032x}", "spanId": f"{n:016x}", "attributes": [
                        {"key": "k", "value": {"stringValue": str(n)}}]}
                    for n in range(1, number + 1)
                ],
            }  # fmt: skip
            body = line({"service.name": "shop"}, [span])
            store.append(type(request(0)).packed(request(0).kind, body)).result()


def frames(recording: object) -> Frames:
    names = ("spans", "links", "events", "attributes", "link_attributes")
    return [getattr(recording, name) for name in names]


def test_an_export_to_parquet_is_the_same_recording(tmp_path: Path) -> None:
    rich(tmp_path / "s")
    intake = export(tmp_path / "s", tmp_path / "out", "parquet")
    assert intake.spans == 7
    again = read([tmp_path / "out"])
    for mine, theirs in zip(frames(stored(tmp_path / "s")), frames(again), strict=True):
        assert mine.equals(theirs)


def test_a_piece_keeps_what_hangs_on_its_spans(tmp_path: Path) -> None:
    """Cut anywhere and put together again: the same recording."""
    from collectors.assemble import as_part, assemble

    rich(tmp_path / "s")
    whole = stored(tmp_path / "s")
    for cut in range(8):
        parts = [as_part(piece(whole, 0, cut)), as_part(piece(whole, cut, 7))]
        for mine, theirs in zip(frames(whole), frames(assemble(parts, whole.intake)), strict=True):
            assert mine.equals(theirs), cut


def test_an_export_to_delta_is_read_back_by_deltalake(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    rich(tmp_path / "s")
    export(tmp_path / "s", tmp_path / "out", "delta")
    table = pl.DataFrame(deltalake.DeltaTable(tmp_path / "out").to_pyarrow_table())
    table = table.sort("start_time", "span_id")
    assert table.height == 7
    last = table.filter(pl.col("name") == "span 6").to_dicts()[0]
    assert last["trace_id"] == f"{'f' * 15}{7:017x}"
    assert last["span_id"] == f"{0xFFFFFFFFFFFFFFF6:016x}"
    assert last["parent_span_id"] is None
    assert last["duration_ns"] == 1000
    assert last["start_time"].isoformat() == "2023-11-14T22:13:20.000001+00:00"
    assert last["attributes"] == [{"key": "order.id", "value": "6"}]
    assert [one["span_id"] for one in last["links"]] == [f"{n:016x}" for n in range(1, 7)]
    assert last["events"][0]["name"] == "exception"


def test_an_empty_store_can_be_exported(tmp_path: Path) -> None:
    Store(tmp_path / "s", compacting=False).close()
    assert export(tmp_path / "s", tmp_path / "out", "parquet").spans == 0
    assert plain(stored(tmp_path / "s")).height == 0


def test_the_commands_and_their_exit_codes(tmp_path: Path, run: Run) -> None:  # noqa: F811
    """0 where all is well, 3 where something is damaged, 2 where the store is in use."""
    mixed(tmp_path / "s")
    folder = str(tmp_path / "s")
    assert run("store", "verify", folder).code == 0
    assert "30 requests" in run("store", "verify", folder).out
    with Store(tmp_path / "s", compacting=False):
        assert run("store", "verify", folder).code == 0
        busy = run("store", "compact", folder)
        assert (busy.code, "is in use" in busy.err) == (2, True)
    (first, *_) = segments(tmp_path / "s")
    data = bytearray(first.read_bytes())
    data[60] ^= 1
    first.write_bytes(data)
    told = run("store", "verify", folder)
    assert told.code == 3
    assert f"damaged: log/{first.name}, bytes 0-" in told.out
    packed = run("store", "compact", folder)
    assert (packed.code, "9 requests, 27 spans" in packed.out) == (3, True)
    again = run("store", "verify", folder)
    assert (again.code, "1 damaged before" in again.out) == (0, True)
    done = run("store", "export", folder, "-o", str(tmp_path / "out"))
    assert "87 spans" in done.out
    assert run("store", "export", folder, "-o", str(tmp_path / "out")).code == 2
    assert run("analyze", str(tmp_path / "out"), "--fail-on", "none").code == 0
    assert run("store", "verify", str(tmp_path)).code == 3
    assert run("store", "compact", str(tmp_path)).code == 2
    assert run("store", "repair", folder).out == "nothing to repair\n"


def test_a_lost_manifest_costs_nothing_whoever_comes_first(tmp_path: Path) -> None:
    """Parquet files without their manifest are no leftovers: readers see them, a writer goes on
    behind them, and none is removed or written over."""
    folder = tmp_path / "s"
    mixed(folder)
    (folder / "manifest.json").unlink()
    [damage] = verify(folder).damaged
    assert (damage.file, "store repair" in damage.reason) == ("manifest.json", True)
    assert len(read([f"store:{folder}"]).spans) == 90
    with Store(folder, segment=900, compacting=False) as store:
        store.compact()  # all of it is in Parquet now
    (folder / "manifest.json").unlink()
    with Store(folder, segment=900, keep=Retention(age_ns=1 << 60), compacting=False) as store:
        assert store.append(request(30, spans=3)).result() == 31
        store.compact()
    verdict = verify(folder)
    assert (verdict.damaged, verdict.notes, verdict.requests) == ([], [], 31)
    assert numbers(folder) == set(range(31))


def test_a_manifest_of_yesterday_removes_nothing(tmp_path: Path) -> None:
    """Put back from a backup it does not know the files of today."""
    folder = tmp_path / "s"
    mixed(folder)
    old = (folder / "manifest.json").read_bytes()
    with Store(folder, segment=900, compacting=False) as store:
        store.compact()
    (folder / "manifest.json").write_bytes(old)
    files = set((folder / "parquet").iterdir())
    with Store(folder, segment=900, keep=Retention(age_ns=1 << 60), compacting=False) as store:
        for number in range(30, 40):
            store.append(request(number, spans=3)).result()
        store.compact()
    assert files < set((folder / "parquet").iterdir())
    assert "is not in the manifest" in verify(folder).notes[0].reason
    assert repair(folder) == ("00000000000000000021.parquet is listed again, with 30 spans",)
    assert (verify(folder).damaged, verify(folder).notes) == ([], [])
    assert numbers(folder) == set(range(40))


def test_a_missing_parquet_file_costs_itself_only(tmp_path: Path) -> None:
    """Readers count it and go on; so does whoever follows the store."""
    folder = tmp_path / "s"
    mixed(folder)
    [file] = (folder / "parquet").iterdir()
    file.unlink()
    found = read([f"store:{folder}"])
    assert (len(found.spans), dict(found.intake.rejected)) == (30, {"missing-parquet": 1})
    assert traces(folder, {(0, 1)}) == []
    source = StoreSource(folder)
    taken = source.poll()
    assert sum(len(part.spans) for part in taken.parts) == 30
    assert source.rejected == {"missing-parquet": 1}
    source.close()


def test_a_lost_segment_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    with Store(folder, segment=900, compacting=False) as store:
        for number in range(30):
            store.append(request(number, spans=3)).result()
    every = sorted(segments(folder))
    assert len(every) > 2
    every[1].unlink()
    [note] = verify(folder).notes
    assert note.file == f"log/{every[2].name}"
    assert f"requests {int(every[1].stem)} to {int(every[2].stem) - 1} are not there" in note.reason
