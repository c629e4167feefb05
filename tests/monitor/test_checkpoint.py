"""A restart is invisible: nothing told twice, nothing forgotten, nothing counted twice."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from analyzer.monitor.checkpoint import FOLDER, INDEX, Checkpoints
from analyzer.monitor.monitor import Monitor
from analyzer.monitor.remembered import Remembered, text_hashes
from analyzer.monitor.working_set import Limits
from collectors.store.files import Files
from tests.monitor.test_monitor import SECOND, World, healthy
from tests.store.test_compaction import Stopped, StopsAt

SETTINGS = {"limits": Limits(grace_ns=SECOND, history=40)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path, **SETTINGS)
    yield found
    found.store.close()
    found.outbox.close()


def checkpoints(world: World, files: Files | None = None) -> Checkpoints:
    layout = world.store.layout
    return Checkpoints(layout.folder, layout.salt.hex(), files)


def begun(world: World) -> Monitor:
    """A new process on the same store."""
    return Monitor(
        world.store.layout.folder,
        world.settings,
        world.outbox,
        checkpoints=checkpoints(world),
        clock=lambda: world.now,
    )


def table(monitor: Monitor) -> pl.DataFrame:
    assert monitor.current is not None
    return monitor.current.analysis.instances.sort("id").drop("variant")


def test_it_goes_on_where_it_was(world: World) -> None:
    """What was read is not read again; what has left is known to have left."""
    world.monitor = begun(world)
    healthy(world, range(100))
    world.place(100)
    for _ in range(8):
        world.now += SECOND
        before = world.monitor.look()
    world.monitor.save()
    world.place(101)
    again = begun(world)
    taken = again.source.poll()
    assert sum(len(part.spans) for part in taken.parts) == 1
    again = begun(world)
    look = again.look()
    assert look.spans == before.spans + 1
    assert look.requests == before.requests + 1
    assert look.left.finished == before.left.finished
    assert len(again.working.gone) == len(world.monitor.working.gone) > 50
    parent = f"{8 * 16 + 2:016x}"
    world.send("mail", world.span(7, 3, "mail", 1, parentSpanId=parent))
    world.now += 6 * SECOND
    late = again.look().analysis.instances.filter(pl.col("spans") == 3)
    assert late["state"].to_list() == ["complete"]


def scenario(world: World, chance: random.Random, restarts: bool) -> tuple[object, ...]:
    """A day in a shop: orders, stuck ones, late stock; with `restarts`, killed again and again."""
    world.monitor = begun(world)
    for step in range(25):
        fate = [chance.random() for _ in range(4)]
        if fate[0] < 0.7:
            healthy(world, range(step * 10, step * 10 + 5))
        if fate[1] < 0.3 and step < 12:
            world.place(step * 10 + 7)
        if fate[2] < 0.2 and step > 15:
            world.stock((step - 15) * 10 + 7)
        world.now += SECOND
        world.monitor.look()
        if restarts and fate[3] < 0.4:
            world.monitor.save()
        if restarts and fate[3] > 0.5:
            if fate[3] > 0.75:
                world.store.compact()
            world.monitor = begun(world)
    for _ in range(20):
        world.now += SECOND
        world.monitor.look()
    told = sorted(one for one in world.told() if "still" not in one)
    look = world.monitor.current
    assert look is not None
    return told, look.left.finished, sorted(look.alerts)


@pytest.mark.slow
@settings(
    max_examples=20,
    suppress_health_check=list(HealthCheck),
    # twenty seconds an example: `make fuzz` draws others
    phases=list(Phase) if "CHOREOSCOPE_FUZZ_CASES" in os.environ else [Phase.explicit],
)
@example(seed=4)  # what was read again made another time usual, and something late twice
@given(seed=st.integers(0, 10_000))
def test_a_restart_at_any_point_is_invisible(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Killed and begun again at random, with the checkpoint of then: the same is told, once, and
    every instance is counted once."""
    found = []
    for restarts in (False, True):
        world = World(tmp_path_factory.mktemp("w"), **SETTINGS)
        found.append(scenario(world, random.Random(seed), restarts))
        world.store.close()
        world.outbox.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("step", range(12))
def test_a_crash_while_saving_leaves_one_checkpoint(world: World, step: int) -> None:
    """The one before or the new one, and never less."""
    world.monitor = begun(world)
    healthy(world, range(30))
    world.now += 5 * SECOND
    world.monitor.look()
    world.monitor.save()
    healthy(world, range(30, 60))
    world.now += 5 * SECOND
    world.monitor.look()
    state = world.monitor._state(world.monitor.source.position())  # type: ignore[attr-defined]
    try:
        checkpoints(world, StopsAt(step)).save(state)
    except Stopped:
        pass
    else:
        assert step >= 5
    found = checkpoints(world).load()
    assert found is not None
    assert found.position.sequence in (60, 120)
    assert found.recording is not None
    again = begun(world)
    look = again.look()
    assert look.spans == 120
    assert sum(look.left.finished.values()) <= 60
    again.save()
    assert len(list((world.store.layout.folder / FOLDER).iterdir())) == 3


def test_damage_is_told_and_all_is_read_again(world: World) -> None:
    """Any flipped bit, a missing file, another store's: from the beginning, and the reason."""
    world.monitor = begun(world)
    healthy(world, range(30))
    world.now += 5 * SECOND
    before = world.monitor.look()
    world.monitor.save()
    folder = world.store.layout.folder / FOLDER
    chance = random.Random(1)
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        for _ in range(15):
            bad = bytearray(good)
            bit = chance.randrange(len(bad) * 8)
            bad[bit // 8] ^= 1 << bit % 8
            path.write_bytes(bad)
            mine = checkpoints(world)
            state = mine.load()
            assert (state is None) == bool(mine.told)
            assert state is None or path.name == INDEX
        path.unlink()
        mine = checkpoints(world)
        assert mine.load() is None
        assert bool(mine.told) == (path.name != INDEX), "a first start is nothing to tell"
        assert begun(world).look().spans == before.spans
        path.write_bytes(good)
    assert Checkpoints(world.store.layout.folder, "another").load() is None


def test_saving_is_rare_and_bounded(world: World) -> None:
    mine = checkpoints(world)
    assert not mine.due
    mine._last -= 31
    assert mine.due
    mine._took = 10.0
    assert not mine.due


def test_a_full_disk_costs_the_checkpoint_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.monitor = begun(world)
    healthy(world, range(5))
    world.monitor.look()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Files, "publish", full)
    world.monitor.save()
    monkeypatch.undo()
    world.monitor.save()
    assert checkpoints(world).load() is not None


def test_what_is_remembered_is_bounded_and_the_latest_stay() -> None:
    known = Remembered(most=1000)
    for first in range(0, 10_000, 100):
        known.add(text_hashes(map(str, range(first, first + 100))))
    assert len(known) <= 1100
    assert known.has(text_hashes(map(str, range(9_500, 10_000)))).all()
    assert not known.has(text_hashes(map(str, range(5_000)))).any()
    known.discard(text_hashes(["9999"]))
    assert not known.has(text_hashes(["9999"])).any()
    assert known.has(text_hashes(["9998"])).all()
    assert len(Remembered(hashes=known.hashes)) == len(known)
