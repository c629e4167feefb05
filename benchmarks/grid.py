"""What is scored: every system, shape and fault, and the recordings over a real broker."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from collectors import read
from collectors.recording import Recording
from collectors.simulate import (
    FAULTS,
    SYSTEMS,
    Header,
    Scenario,
    ScenarioError,
    Truth,
    read_truth,
    write,
)

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MIX = {
    "lost": 0.01,
    "crash": 0.01,
    "handler-error": 0.01,
    "dead-letter": 0.01,
    "retry": 0.03,
    "retry-storm": 0.005,
    "duplicate": 0.01,
    "slow-fine": 0.02,
    "in-flight": 0.02,
}
HARD_MIX = MIX | {"human": 0.02, "rejection": 0.05, "skew": 2.0}
SHARE = {
    "in-flight": 0.05,
    "consumer-dark": 0.2,
    "outage": 0.1,
    "sampling": 0.1,
    "skew": 2.0,
    "late-spans": 5.0,
    "uninstrumented": 1.0,
    "poll-loop": 1.0,
    "cron": 1.0,
    "broken-propagation": 0.1,
}
# Many of each kind in little time, to measure how long until it is told.
TIMED = dict.fromkeys(
    (
        "lost",
        "crash",
        "hang",
        "handler-error",
        "dead-letter",
        "retry-storm",
        "duplicate",
        "skip",
        "send-failed",
        "identity-conflict",
    ),
    0.02,
)
KEY_FAULTS = ("cron", "identity-conflict")  # not to be seen without knowing the key
SHAPES = ("child", "link", "key", "batch")


@dataclass(frozen=True)
class Labelled:
    """A recording with the truth about it, and the business keys that it takes."""

    name: str
    recording: Recording
    header: Header
    truths: Sequence[Truth]
    keys: tuple[str, ...]


# -- simulated --------------------------------------------------------------------------------


def mixes(instances: int, seed: int) -> Iterator[Scenario]:
    """Every system in every shape with the faults that happen side by side."""
    for system in SYSTEMS:
        for style in ("choreographed", "orchestrated"):
            for shape in SHAPES:
                base: dict[str, object] = {
                    "system": system,
                    "style": style,
                    "shape": shape,
                    "seed": apart(seed, system, style),
                }
                yield from allowed(base, instances, HARD_MIX)


def faults(instances: int, seed: int, systems: Iterable[str]) -> Iterator[Scenario]:
    """Every fault alone, and none, in every shape."""
    for system in systems:
        for shape in SHAPES:
            for fault in ("", *FAULTS):
                base: dict[str, object] = {"system": system, "shape": shape}
                base["seed"] = apart(seed, system, fault)
                chosen = {fault: SHARE.get(fault, 0.04)} if fault else {}
                yield from allowed(base, instances, chosen, whole=True)


def distances(instances: int, seed: int) -> Iterator[Scenario]:
    """Steps that lie minutes or days apart."""
    for gap_ns in (100 * 10**9, 3 * 86_400 * 10**9):
        for shape in SHAPES:
            own = apart(seed, "gap", str(gap_ns))
            yield Scenario("order", instances, own, MIX, shape=shape, gap_ns=gap_ns)


def dialects(instances: int, seed: int) -> Iterator[Scenario]:
    """Old names, other brokers."""
    for broker in ("kafka", "rabbitmq", "sqs"):
        for semconv in ("new", "old"):
            for shape in ("child", "link"):
                own = apart(seed, broker, semconv)
                yield Scenario(
                    "order", instances, own, MIX, shape=shape, broker=broker, semconv=semconv
                )


def apart(seed: int, *words: str) -> int:
    """A seed for each kind of scenario, the same in all shapes.

    One seed for all would hit the same instances with the same faults everywhere: many
    scenarios, and one sample.
    """
    return seed * 100_000 + crc32(" ".join(words).encode()) % 100_000


def allowed(
    base: dict[str, object], instances: int, chosen: dict[str, float], whole: bool = False
) -> Iterator[Scenario]:
    """The scenario without the faults that the system cannot have."""
    possible = {}
    for name, share in chosen.items():
        try:
            Scenario(instances=instances, faults={name: share}, **base)  # type: ignore[arg-type]
            possible[name] = share
        except ScenarioError:
            if whole:
                return
    yield Scenario(instances=instances, faults=possible, **base)  # type: ignore[arg-type]


def grid(quick: bool, instances: int, seed: int) -> Iterator[Scenario]:
    """The scenarios of `make score`; `quick` takes some of them."""
    if quick:
        for shape in SHAPES:
            yield Scenario("order", instances, seed, HARD_MIX, shape=shape)
        for system in ("electronics", "exit", "tickets", "login"):
            yield next(
                allowed({"system": system, "seed": apart(seed, system)}, instances, HARD_MIX)
            )
        yield from (one for one in faults(instances, seed, ("order",)) if one.shape == "link")
        return
    yield from mixes(instances, seed)
    yield from faults(instances, seed, ("order", "electronics"))
    yield from distances(instances, seed)
    yield from dialects(instances, seed)


def timed(quick: bool, seed: int) -> Iterator[Scenario]:
    """Scenarios that are replayed to measure the time from a fault to its detection."""
    some = (
        ("order", TIMED),
        ("order", {"consumer-dark": 0.3}),
        ("electronics", {"compensated": 0.1, "no-compensation": 0.05}),
    )
    for shape in SHAPES[: 1 if quick else 4]:
        for system, chosen in some:
            yield Scenario(
                system,
                200,
                seed * 10 + SHAPES.index(shape),
                chosen,
                shape=shape,
                length_ns=400 * 10**9,
            )


def title(scenario: Scenario) -> str:
    """What tells the scenario from its neighbours."""
    names = "+".join(scenario.faults) if len(scenario.faults) < 3 else "mix"
    parts = [scenario.system, scenario.shape, names or "none"]
    parts += [scenario.style] * (scenario.style != "choreographed")
    parts += [f"{scenario.broker} {scenario.semconv}"] * (
        (scenario.broker, scenario.semconv) != ("kafka", "new")
    )
    parts += [f"gap {scenario.gap_ns // 10**9}s"] * bool(scenario.gap_ns)
    return " ".join(parts)


def played(scenario: Scenario, with_keys: str = "needed") -> Labelled:
    """Simulate; `with_keys` is always, needed (where nothing else joins) or never."""
    needs = scenario.shape == "key" or not scenario.faults.keys().isdisjoint(KEY_FAULTS)
    use = with_keys == "always" or (with_keys == "needed" and needs)
    keys = ("=".join((scenario.flow.keys[0], ",".join(scenario.flow.keys[1:]))),)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        header = write(scenario, path)
        truths = read_truth(path)[1]
        recording = read([path])
    return Labelled(title(scenario), recording, header, truths, keys if use else ())


# -- recorded ---------------------------------------------------------------------------------


def recordings() -> Iterator[Labelled]:
    """The recordings of the lab, each in its folder with what really happened."""
    folders = sorted(path.parent for path in FIXTURES.glob("recordings/*/expected.json"))
    for folder in (FIXTURES / "demo", *folders):
        (spans,) = folder.glob("*.jsonl.gz")
        (told,) = folder.glob("*.truth.jsonl")
        header, truths = read_truth(told)
        keys = tuple(json.loads((folder / "expected.json").read_text())["keys"])
        yield Labelled(f"lab {folder.name}", read([spans]), header, truths, keys)
