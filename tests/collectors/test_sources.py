"""Where input comes from: files, folders, globs, stdin, compressed or not, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
import zstandard

from collectors import SourceError, read, write_parquet
from tests.collectors.test_json_lines import request, span


def lines(*numbers: int) -> bytes:
    return b"".join(request(span(number)) + b"\n" for number in numbers)


def pretty(number: int) -> bytes:
    return json.dumps(json.loads(request(span(number))), indent=1).encode()


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


def test_devices_and_loops_that_were_named_are_refused(tmp_path: Path) -> None:
    (tmp_path / "l1").symlink_to(tmp_path / "l2")
    (tmp_path / "l2").symlink_to(tmp_path / "l1")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for name, reason in (
        ("/dev/zero", "character device; name a file, a folder or a FIFO, or -"),
        (str(tmp_path / "l1"), "loop"),
        (str(tmp_path / "gone"), "a symbolic link to nothing"),
    ):
        with pytest.raises(SourceError, match=reason):
            read([name])


def test_a_fifo_that_was_named_is_read(tmp_path: Path) -> None:
    """`<(command)` of a shell is one."""
    for number, data in enumerate((lines(1), gzip.compress(lines(1)), pretty(1))):
        pipe = tmp_path / f"pipe{number}"
        os.mkfifo(pipe)
        writer = Thread(target=pipe.write_bytes, args=(data,), daemon=True)
        writer.start()
        assert ids(pipe) == [1]
        writer.join(10)


def test_a_parquet_file_from_a_fifo(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(lines(1, 2))
    write_parquet(read([tmp_path / "x"]), tmp_path / "x.parquet")
    os.mkfifo(tmp_path / "pipe")
    data = (tmp_path / "x.parquet").read_bytes()
    Thread(target=(tmp_path / "pipe").write_bytes, args=(data,), daemon=True).start()
    assert ids(tmp_path / "pipe") == [1, 2]


def test_what_is_no_file_does_not_stop_a_folder(tmp_path: Path) -> None:
    """A pipe would hang it, a link upwards would never end."""
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "x.jsonl").write_bytes(lines(1))
    (folder / "deep" / "y.jsonl").write_bytes(lines(2))
    os.mkfifo(folder / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.relpath(folder / "socket"))
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "self").symlink_to(folder)
    (folder / "deep" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    (folder / "l1").symlink_to(folder / "l2")
    (folder / "l2").symlink_to(folder / "l1")
    for source in (folder, f"{folder}/**"):
        found = read([source])
        assert found.spans["span_id"].to_list() == [1, 2]
        assert not found.intake.damaged
        assert found.intake.sources == (f"{folder}/deep/y.jsonl", f"{folder}/x.jsonl")
        assert found.intake.skipped["no-files"] == 8
    assert ids(f"{folder}/*") == [1, 2]
    listener.close()
    (warning,) = read([folder]).intake.warnings
    assert "deep/up (a link to a folder that it lies in)" in warning


def test_links_to_a_folder_are_followed_once(tmp_path: Path) -> None:
    """Folders that link to each other have more paths than can be walked."""
    folders = [tmp_path / f"f{number}" for number in range(12)]
    for folder in folders:
        folder.mkdir()
        (folder / "x").write_bytes(lines(1 + folders.index(folder)))
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    found = read([tmp_path])
    assert (found.intake.spans, found.intake.duplicates) == (12, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_in_a_folder_is_lost_input(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(lines(1))
    (tmp_path / "y").write_bytes(lines(2))
    (tmp_path / "y").chmod(0)
    found = read([tmp_path])
    assert (found.intake.spans, dict(found.intake.rejected)) == (1, {"unreadable": 1})
    assert found.intake.problems[0].detail == "permission denied"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**", [1, 2, 3]),
        ("**/*.jsonl", [1, 3]),
        ("**/er/*", [3]),
        ("deep/**/*.jsonl", [3]),
        ("*/**", [2, 3]),
        ("**/deep/**/b.jsonl", [3]),
        ("deep*", [2, 3]),
        ("[a]*", [1]),
    ],
)
def test_globs(tmp_path: Path, pattern: str, expected: list[int]) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    (tmp_path / "deep" / "x.json").write_bytes(lines(2))
    (tmp_path / "deep" / "er" / "b.jsonl").write_bytes(lines(3))
    assert ids(f"{tmp_path}/{pattern}") == expected


def test_a_glob_that_matches_nothing_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(lines(1))
    with pytest.raises(SourceError, match=r"\*\.jsonl matches no file; .* holds a\.json"):
        read([f"{tmp_path}/*.jsonl"])
    with pytest.raises(SourceError, match=r"matches no file; .*/nope does not exist"):
        read([f"{tmp_path}/nope/*.jsonl"])


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
