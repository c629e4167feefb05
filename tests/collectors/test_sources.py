"""Where input comes from: files, folders, globs, stdin, compressed or not, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard

from collectors import SourceError, read
from tests.collectors.test_json_lines import request, span


def lines(*numbers: int) -> bytes:
    return b"".join(request(span(number)) + b"\n" for number in numbers)


def ids(*sources: str | Path) -> list[int]:
    return read(sources).spans["span_id"].to_list()


def test_files_folders_and_globs(tmp_path: Path) -> None:
    """Recursive, hidden files left out, each file once."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    (tmp_path / "deep" / "er" / "b").write_bytes(lines(2))
    (tmp_path / ".hidden").write_bytes(lines(3))
    (tmp_path / "README.md").write_text("# no traces\n")
    assert ids(tmp_path) == [1, 2]
    assert ids(tmp_path / "a.jsonl", tmp_path / "deep", tmp_path) == [1, 2]
    assert ids(f"{tmp_path}/*.jsonl") == [1]
    assert ids(f"{tmp_path}/**/b") == [2]
    found = read([tmp_path])
    assert (dict(found.intake.skipped), found.intake.damaged) == ({"other-files": 1}, False)
    assert found.intake.duplicates == 0


def test_a_file_named_like_a_glob_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "x[1].jsonl").write_bytes(lines(1))
    assert ids(tmp_path / "x[1].jsonl") == [1]


def test_every_gzip_member_and_every_zstd_frame_by_content(tmp_path: Path) -> None:
    packed = gzip.compress(lines(1)) + gzip.compress(lines(2)) + gzip.compress(b"")
    framed = zstandard.compress(lines(3)) + zstandard.compress(lines(4))
    (tmp_path / "one").write_bytes(packed)
    (tmp_path / "two.txt").write_bytes(framed)
    assert ids(tmp_path) == [1, 2, 3, 4]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_truncated_compression_keeps_what_came_before(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    import random

    noise = random.Random(1)
    rows = [span(n, name=noise.randbytes(40).hex()) for n in range(1, 3000)]
    packed = pack(b"".join(request(row) + b"\n" for row in rows))
    (tmp_path / "x").write_bytes(packed[: len(packed) * 2 // 3])
    found = read([tmp_path / "x"])
    assert found.intake.spans > 0
    assert found.intake.rejected["damaged-compression"] == 1


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(gzip.compress(lines(1, 2))))
    monkeypatch.setattr(sys, "stdin", stdin)
    found = read(["-"])
    assert (found.intake.spans, found.intake.sources) == (2, ("<stdin>",))


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(lines(*range(1, 500)))
    seen: list[tuple[int, int]] = []
    read([tmp_path], progress=lambda done, total: seen.append((done, total)))
    size = (tmp_path / "x").stat().st_size
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").write_bytes(b"")
    with pytest.raises(SourceError, match=r"did you mean .*traces\.jsonl"):
        read([tmp_path / "trace.jsonl"])
    with pytest.raises(SourceError, match="matches no file"):
        read([f"{tmp_path}/*.nope"])
    with pytest.raises(SourceError, match="does not exist"):
        read([tmp_path / "nowhere" / "x"])


def test_devices_pipes_and_loops_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("/dev/zero", "character device"), (str(tmp_path / "pipe"), "FIFO")):
        with pytest.raises(SourceError, match=reason):
            read([name])
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "self").symlink_to(folder)
    with pytest.raises(SourceError, match="loop"):
        read([folder])
    (tmp_path / "l1").symlink_to(tmp_path / "l2")
    (tmp_path / "l2").symlink_to(tmp_path / "l1")
    with pytest.raises(SourceError, match="loop"):
        read([tmp_path / "l1"])


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_no_path_at_all(name: str) -> None:
    with pytest.raises(SourceError):
        read([name])


def test_binary_rubbish_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(bytes(range(256)) * 20)
    assert dict(read([tmp_path / "x.bin"]).intake.rejected) == {"unknown-format": 1}


def test_files_in_any_order_give_the_same_recording(tmp_path: Path) -> None:
    from tests.collectors.traces import assert_same

    for number in range(4):
        (tmp_path / f"{number}").write_bytes(lines(number + 1, 9, 10 + number))
    names = [tmp_path / f"{number}" for number in range(4)]
    assert_same(read(names), read(names[::-1]))


def test_importing_collectors_is_cheap() -> None:
    """Help texts must not wait for polars."""
    code = "import collectors, sys; print('polars' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
