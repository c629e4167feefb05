"""The benchmark's generator: its truth is what an independent script finds in its bytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import naive
from benchmarks.generate import Recipe, generate, truth_path
from benchmarks.measure import measure
from benchmarks.workload import LAYOUTS

SPANS = 4_000


def answer(path: Path, encoding: str) -> dict[str, Any]:
    read = naive.read_json if encoding == "json" else naive.read_protobuf
    return naive.answer(naive.build(read(path)))


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_truth_is_what_the_naive_script_finds(tmp_path: Path, layout: str, encoding: str) -> None:
    """Instances, unconfirmed orders and the calls on 8 service edges, in every layout."""
    path = tmp_path / "recording"
    generate(Recipe(SPANS, encoding, layout), path)
    truth = json.loads(truth_path(path).read_text())
    found = answer(path, encoding)
    assert len(truth["edges"]) == 8
    assert truth["unconfirmed"]
    assert found == {name: truth[name] for name in found}


def test_same_recipe_same_bytes(tmp_path: Path) -> None:
    """The recording depends on its recipe alone, and the seed is part of it."""
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    generate(Recipe(SPANS, "protobuf"), one)
    generate(Recipe(SPANS, "protobuf"), two)
    generate(Recipe(SPANS, "protobuf", seed=2), other)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


def test_a_gap_lies_between_two_steps_only(tmp_path: Path) -> None:
    """`gap_s` delays the confirmation, and nothing else changes."""
    plain, late = tmp_path / "plain", tmp_path / "late"
    generate(Recipe(SPANS, "json", "parent"), plain)
    generate(Recipe(SPANS, "json", "parent", gap_s=100), late)
    first, second = (
        {s["id"]: (s["name"], s["start"]) for s in naive.read_json(path)} for path in (plain, late)
    )
    moved = {first[i][0]: (second[i][1] - first[i][1]) / 1e9 for i in second}
    assert moved["process parcels.dispatched"] == pytest.approx(100)
    assert moved["publish parcels.dispatched"] == 0


def test_cost_counts_the_children(tmp_path: Path) -> None:
    """CPU and memory of a child process belong to the command that started it."""
    burn = "x = bytearray(80_000_000); import time; t = time.process_time()\n"
    burn += "while time.process_time() < t + 0.3: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}], check=True)"

    cost = measure([sys.executable, "-c", code], tmp_path, tmp_path / "log")
    assert cost.code == 0, cost.errors
    assert cost.cpu_s >= 0.3
    assert cost.rss_mb >= 80
