"""Compressed sources: read up to the byte where they are cut, broken or a bomb; nothing silent."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import read
from collectors.streams import DamagedStream, Filling, Stream
from collectors.unpack import FEED, Bomb, Unpacked, packing_of
from tests.collectors.test_json_lines import request, span

NOISE = random.Random(5)
TEXTS = [NOISE.randbytes(size).hex().encode() + b"\n" for size in (900, 0, 1500, 10)]
HEADER = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x05\0hello" + b"name\0" + b"comment\0"
HEADER += (zlib.crc32(HEADER) & 0xFFFF).to_bytes(2, "little")
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\0\0\0hello"


def members() -> bytes:
    plain = b"".join(gzip.compress(text, mtime=0) for text in TEXTS)
    return plain + HEADER + gzip.compress(TEXTS[0], mtime=0)[10:]


def frames() -> bytes:
    checked = zstandard.ZstdCompressor(write_checksum=True)
    plain = b"".join(map(zstandard.compress, TEXTS))
    return plain + SKIPPABLE + checked.compress(TEXTS[0])


PACKED = {"gzip": members(), "zstd": frames()}
WHOLE = b"".join([*TEXTS, TEXTS[0]])


def unpacked(data: bytes) -> tuple[bytes, str]:
    """(what could be read, the damage that was told)."""
    packing = packing_of(data[:4])
    assert packing is not None
    stream, found = Stream(Unpacked(io.BytesIO(data), packing)), []
    try:
        while piece := stream.read(700):
            found.append(piece)
        stream.settle()
    except DamagedStream as damage:
        return b"".join(found), str(damage)
    return b"".join(found), ""


def reference(data: bytes) -> tuple[bytes, bool]:
    """(what the original library unpacks, whether the data end inside a member)."""
    found = []
    while data:
        gz = data[:1] == b"\x1f"
        one = zlib.decompressobj(31) if gz else zstandard.ZstdDecompressor().decompressobj()
        found.append(one.decompress(data))
        if not one.eof:
            return b"".join(found), True
        data = one.unused_data
    return b"".join(found), False


@pytest.mark.parametrize("kind", PACKED)
def test_every_cut_keeps_what_could_be_unpacked_and_is_told_with_its_byte(kind: str) -> None:
    data = PACKED[kind]
    for cut in range(2, len(data) + 1):
        expected, inside = reference(data[:cut])
        found, damage = unpacked(data[:cut])
        assert found == expected, cut
        assert damage == (f"the {kind} data are cut short at byte {cut}" if inside else "")
    assert unpacked(data) == (WHOLE, "")


@pytest.mark.parametrize("kind", PACKED)
@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_broken_byte_is_told_and_what_stands_before_it_is_kept(kind: str, seed: int) -> None:
    noise = random.Random(seed)
    data = bytearray(PACKED[kind])
    at = noise.randrange(4, len(data))
    data[at] ^= noise.randrange(1, 256)
    found, damage = unpacked(bytes(data))
    assert damage or len(found) == len(WHOLE)  # a changed header or checksum-free text
    before, _ = reference(PACKED[kind][: max(at - FEED, 0)])
    assert found.startswith(before[: len(before)])


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize(
    "garbage", [b"x", b"\x1fx", b"more text\n" * 500, b"\x28\xb5\x2f", b"\0\0x"]
)
def test_what_follows_the_last_member_is_told_and_costs_nothing(kind: str, garbage: bytes) -> None:
    data = PACKED[kind]
    found, damage = unpacked(data + garbage)
    assert found == WHOLE
    assert str(len(data) + garbage.count(b"\0")) in damage or "cut short" in damage


@pytest.mark.parametrize("kind", PACKED)
def test_padding_with_nuls_is_no_damage(kind: str) -> None:
    data = PACKED[kind]
    assert unpacked(data + bytes(5000)) == (WHOLE, "")
    assert unpacked(data + bytes(5000) + data) == (WHOLE + WHOLE, "")


def pack(kind: str, data: bytes) -> bytes:
    return gzip.compress(data, mtime=0) if kind == "gzip" else zstandard.compress(data)


@pytest.mark.parametrize("kind", PACKED)
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1))
def test_a_cut_file_of_any_size_keeps_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, share: float
) -> None:
    """Also of a file that is smaller than one step of reading."""
    rows = [request(span(n, name=f"{n * n}")) + b"\n" for n in range(1, 60)]
    data = b"".join(pack(kind, b"".join(rows[n : n + 20])) for n in (0, 20, 40))
    cut = max(4, round(len(data) * share))
    path = tmp_path_factory.mktemp("cut") / "x"
    path.write_bytes(data[:cut])
    plain, inside = reference(data[:cut])
    found = read([path])
    assert found.intake.spans in (plain.count(b"\n"), plain.count(b"}]}]}]}"))
    assert found.intake.rejected.get("damaged-compression", 0) == inside
    if inside:
        detail = next(p.detail for p in found.intake.problems if p.reason == "damaged-compression")
        assert f"cut short at byte {cut}" in detail


@pytest.mark.parametrize("kind", PACKED)
def test_a_document_whose_compression_is_cut_is_read_to_there(tmp_path: Path, kind: str) -> None:
    """Formats that are read as a whole: a pretty-printed document, a bare protobuf request."""
    rows = b",\n".join(request(span(n, name=NOISE.randbytes(99).hex())) for n in range(1, 40))
    packed = pack(kind, b"[\n" + rows + b"\n]") if kind == "gzip" else b""
    if not packed:
        maker = zstandard.ZstdCompressor().compressobj()
        packed = maker.compress(b"[\n" + rows[:8000]) + maker.flush(1)
        packed += maker.compress(rows[8000:] + b"\n]") + maker.flush()
    (tmp_path / "x").write_bytes(packed[: len(packed) * 3 // 4])
    found = read([tmp_path / "x"])
    assert found.intake.spans > 5
    assert found.intake.rejected["damaged-compression"] == 1


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("unit", [b"\n", b"\0", b"a", b"\r\n", b"{}\n"])
def test_a_bomb_is_refused_soon(kind: str, unit: bytes) -> None:
    data = PACKED[kind] + pack(kind, unit * (80_000_000 // len(unit)))
    packing = packing_of(data)
    assert packing is not None
    stream = Stream(Unpacked(io.BytesIO(data), packing))
    assert len(WHOLE) < len(stream.rest(90_000_000)) < 40_000_000
    with pytest.raises(Bomb, match="to 1"):
        stream.read(1)


@pytest.mark.parametrize("kind", PACKED)
def test_a_repetitive_export_is_no_bomb(kind: str) -> None:
    """The same 16 KB on every span, which differ in nothing but two ids and a time."""
    stack = "".join(f"  at com.example.Class{n}.method(Class{n}.java:{n})\n" for n in range(330))
    rows = []
    for number in range(2000):
        ids = NOISE.randbytes(24).hex()
        rows.append(f'{{"t":"{ids}","s":{10**18 + number},"m":"{stack}"}}\n'.encode())
    text = b"".join(rows)
    assert len(text) > 2 * 16 << 20
    assert unpacked(pack(kind, text)) == (text, "")


def test_a_failing_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from collectors import streams

    rows = [request(span(n)) + b"\n" for n in range(1, 9000)]
    (tmp_path / "x").write_bytes(b"".join(rows))
    counted = streams._Counted

    class Failing(counted):  # type: ignore[misc,valid-type]
        def __init__(self, raw: Filling, tell: Callable[[int], None]) -> None:
            super().__init__(_Failing(raw), tell)

    monkeypatch.setattr(streams, "_Counted", Failing)
    found = read([tmp_path / "x"])
    assert found.intake.spans > 1000
    assert found.intake.rejected["unreadable"] == 1


class _Failing:
    def __init__(self, raw: Filling) -> None:
        self._raw = raw
        self._left = 2

    def readinto(self, buffer: bytearray, /) -> int | None:
        self._left -= 1
        if self._left < 0:
            raise OSError(5, "Input/output error")
        return self._raw.readinto(buffer)
