"""The scoreboard: what the analysis says about simulated systems, against the truth.

python -m benchmarks.score --quick
python -m benchmarks.score --seeds 3 --instances 1000 --verbose
python -m benchmarks.score 'sim:order?instances=500&faults=lost:0.05&shape=link'
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from analyzer import analyze
from benchmarks.scoring import Score, Wrong, score
from collectors import read
from collectors.simulate import FAULTS, SYSTEMS, Scenario, ScenarioError, parse, read_truth, write

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
KEY_FAULTS = ("cron", "identity-conflict")  # not to be seen without knowing the key
SHAPES = ("child", "link", "key", "batch")


# -- the grid ---------------------------------------------------------------------------------


def mixes(instances: int, seed: int) -> Iterator[Scenario]:
    """Every system in every shape with the faults that happen side by side."""
    for system in SYSTEMS:
        for style in ("choreographed", "orchestrated"):
            for shape in SHAPES:
                base: dict[str, object] = {
                    "system": system,
                    "style": style,
                    "shape": shape,
                    "seed": seed,
                }
                yield from _allowed(base, instances, HARD_MIX)


def faults(instances: int, seed: int, systems: Iterable[str]) -> Iterator[Scenario]:
    """Every fault alone, and none, in every shape."""
    for system in systems:
        for shape in SHAPES:
            base: dict[str, object] = {"system": system, "shape": shape, "seed": seed}
            for fault in ("", *FAULTS):
                chosen = {fault: SHARE.get(fault, 0.04)} if fault else {}
                yield from _allowed(base, instances, chosen, whole=True)


def distances(instances: int, seed: int) -> Iterator[Scenario]:
    """Steps that lie minutes or days apart."""
    for gap_ns in (100 * 10**9, 3 * 86_400 * 10**9):
        for shape in SHAPES:
            yield Scenario(
                "order", instances, seed, MIX, shape=shape, gap_ns=gap_ns, style="choreographed"
            )


def dialects(instances: int, seed: int) -> Iterator[Scenario]:
    """Old names, other brokers."""
    for broker in ("kafka", "rabbitmq", "sqs"):
        for semconv in ("new", "old"):
            for shape in ("child", "link"):
                yield Scenario(
                    "order", instances, seed, MIX, shape=shape, broker=broker, semconv=semconv
                )


def _allowed(
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


def grid(quick: bool, instances: int, seed: int) -> Iterator[tuple[str, Scenario]]:
    """Name of the group, and the scenario."""
    if quick:
        for shape in SHAPES:
            yield "mix", Scenario("order", instances, seed, HARD_MIX, shape=shape)
        for system in ("electronics", "exit", "tickets", "login"):
            yield "mix", next(_allowed({"system": system, "seed": seed}, instances, HARD_MIX))
        for scenario in faults(instances, seed, ("order",)):
            if scenario.shape == "link":
                yield "fault", scenario
        return
    yield from (("mix", one) for one in mixes(instances, seed))
    yield from (("fault", one) for one in faults(instances, seed, ("order", "electronics")))
    yield from (("distance", one) for one in distances(instances, seed))
    yield from (("dialect", one) for one in dialects(instances, seed))


# -- running ----------------------------------------------------------------------------------


def run(scenario: Scenario, with_keys: str) -> tuple[Score, float]:
    """Simulate, analyse and compare one scenario; also the seconds that the analysis took."""
    needs_keys = scenario.shape == "key" or not scenario.faults.keys().isdisjoint(KEY_FAULTS)
    keys = ("=".join((scenario.flow.keys[0], ",".join(scenario.flow.keys[1:]))),)
    use = with_keys == "always" or (with_keys == "needed" and needs_keys)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        write(scenario, path)
        started = time.perf_counter()
        analysis = analyze(read([path]), keys=keys if use else ())
        seconds = time.perf_counter() - started
        header, truths = read_truth(path)
        return score(analysis, truths, header.unread), seconds


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


# -- printing ---------------------------------------------------------------------------------


def ratio(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def print_row(name: str, one: Score, seconds: float) -> None:
    """One line of the table of scenarios."""
    false = 1000 * one.alarmed / max(1, one.healthy)
    missed = sum(one.expected.values()) - sum(one.got.values())
    cells = (
        name,
        f"{one.found}/{one.truths}",
        ratio(one.states_right, one.truths),
        ratio(sum(one.rightly.values()), sum(one.said.values())),
        ratio(sum(one.got.values()), sum(one.expected.values())),
        str(missed),
        f"{false:.1f}",
        ratio(sum(one.causes_right.values()), sum(one.causes.values())),
        str(one.never),
        f"{seconds:.1f}",
    )
    print("| " + " | ".join(cells) + " |", flush=True)


HEAD = (
    "scenario",
    "instances found/true",
    "states right",
    "precision",
    "recall",
    "missed",
    "false per 1,000 healthy",
    "cause right",
    "never-said",
    "s",
)


def print_head(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |")
    print("|" + "---|" * len(cells), flush=True)


def print_kinds(total: Score) -> None:
    """Precision and recall of each kind, and the causes of each fault."""
    print()
    print_head(("kind", "said", "precision", "expected", "recall"))
    for kind in sorted({*total.said, *total.expected}):
        said, expected = total.said[kind], total.expected[kind]
        cells = (kind, said, ratio(total.rightly[kind], said), expected)
        print("| " + " | ".join(map(str, (*cells, ratio(total.got[kind], expected)))) + " |")
    print()
    print_head(("fault", "found", "first cause right"))
    for fault in sorted(total.causes):
        right = ratio(total.causes_right[fault], total.causes[fault])
        print(f"| {fault} | {total.causes[fault]} | {right} |")


def print_confusion(wrong: list[tuple[Scenario, Wrong]], limit: int) -> None:
    """The commonest misjudgements, each with its scenario and one example."""
    groups: dict[tuple[str, ...], list[tuple[Scenario, Wrong]]] = defaultdict(list)
    for scenario, one in wrong:
        fault = "+".join(one.truth.faults) or one.truth.variant
        groups[one.what, one.word, fault, title(scenario)].append((scenario, one))
    counts = Counter({key: len(found) for key, found in groups.items()})
    print()
    for key, count in counts.most_common(limit):
        scenario, one = groups[key][0]
        truth, said = one.truth, one.said
        print(f"{count} x {key[0]} {key[1]!r}: truth {truth.state} {key[2]} in {scenario.uri}")
        print(
            f"    e.g. {truth.key} traces {[t[:8] for t in truth.trace_ids]}"
            f" wants {truth.findings} at {truth.stuck_at} since {truth.since_ns}\n"
            f"    said {said.state!r} cause {said.cause!r} {said.kinds}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uris", nargs="*", help="these scenarios instead of the grid")
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of an hour")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--instances", type=int, default=600)
    parser.add_argument("--keys", choices=("always", "needed", "never"), default="needed")
    parser.add_argument("--only", default="", help="scenarios whose title holds this text")
    parser.add_argument("--verbose", type=int, nargs="?", const=40, default=0, metavar="N")
    options = parser.parse_args()
    total = Score()
    wrong: list[tuple[Scenario, Wrong]] = []
    print_head(HEAD)
    for scenario in _chosen(options):
        one, seconds = run(scenario, options.keys)
        print_row(title(scenario), one, seconds)
        wrong += [(scenario, found) for found in one.wrong]
        total.add(replace(one, wrong=[]))
    print_row("total", total, 0.0)
    print_kinds(total)
    if options.verbose:
        print_confusion(wrong, options.verbose)


def _chosen(options: argparse.Namespace) -> Iterator[Scenario]:
    if options.uris:
        yield from map(parse, options.uris)
        return
    for number in range(options.seeds):
        for _, scenario in grid(options.quick, options.instances, options.first_seed + number):
            if options.only in title(scenario):
                yield scenario


if __name__ == "__main__":
    main()
