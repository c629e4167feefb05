"""What a newcomer names by mistake: each message says what it was and what would be right."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from tests.collectors.test_foreign import ERRORS, FILES, dumped
from tests.collectors.test_json_lines import request, span
from tests.support.hostile import raw_controls
from tests.tui.conftest import Run

GOOD = request(span(1), span(2, parentSpanId=f"{1:016x}"))
COMMANDS = (("analyze",), ("instances",), ("graph",), ("show", "--instance", "0102"))
WORDS = ("NoneType", "Traceback", "internal error", "dict", "list index", "object has no")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
@pytest.mark.parametrize("data", [data for data, _ in FILES[::5]])
def test_every_command_names_it_and_exits_with_3(
    run: Run, source: Path, command: tuple[str, ...], data: bytes
) -> None:
    source.write_bytes(data)
    result = run(command[0], str(source), *command[1:])
    assert result.code == 3
    assert "looks like" in result.err
    assert not any(word in result.err for word in WORDS)
    assert raw_controls(result.err) == []


@pytest.mark.parametrize(("reply", "said"), ERRORS)
def test_an_error_reply_in_its_words(run: Run, source: Path, reply: object, said: str) -> None:
    source.write_bytes(dumped(reply))
    result = run("instances", str(source))
    assert result.code == 3
    assert said in result.err
    assert "nothing of the input could be read: 1 rejected" in result.err


def test_a_folder_with_other_files_is_clean(run: Run, source: Path) -> None:
    source.mkdir()
    (source / "x.jsonl").write_bytes(GOOD)
    for number, (data, _) in enumerate(FILES):
        (source / f"other-{number:02}").write_bytes(data)
    os.mkfifo(source / "pipe")
    result = run("instances", str(source), "--format", "json")
    assert result.code == 0, result.err
    assert json.loads(result.out.splitlines()[0])["spans"] == 2
    assert f"skipped {len(FILES)} files that hold no traces: " in result.err
    assert "pipe (a FIFO)" in result.err


def test_damage_in_a_folder_is_3(run: Run, source: Path) -> None:
    source.mkdir()
    (source / "x.jsonl").write_bytes(GOOD)
    (source / "y.jsonl").write_bytes(GOOD[:-50])
    result = run("instances", str(source))
    assert result.code == 3
    assert "y.jsonl:1: invalid-json: it ends in the middle of a value" in result.err
    assert "part of the input could not be read: 1 rejected" in result.err


def test_an_empty_file_is_told(run: Run, source: Path) -> None:
    source.write_bytes(b"")
    result = run("instances", str(source))
    assert result.code == 3
    assert f"{source} is empty" in result.err
    assert run("instances", str(source), "--allow-empty").code == 0


def test_a_fifo_by_name(run: Run, source: Path) -> None:
    os.mkfifo(source)
    Thread(target=source.write_bytes, args=(gzip.compress(GOOD),), daemon=True).start()
    assert run("instances", str(source)).code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_process_substitution(source: Path) -> None:
    source.write_bytes(GOOD)
    run = f'"{sys.executable}" -m tui.cli instances <(cat "{source}") <(cat "{source}")'
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.jsonl", "does not exist; did you mean"),
        ("*.nope", "matches no file; "),
        ("/dev/zero", "is a character device; name a file"),
        ("", "is no path"),
    ],
)
def test_what_is_not_there(run: Run, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "nowhere.json").write_bytes(GOOD)
    result = run("instances", str(tmp_path / name) if name and name[0] != "/" else name)
    assert (result.code, result.out) == (3, "")
    assert said in result.err
