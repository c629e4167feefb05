"""The scoreboard: what the analysis says about labelled recordings, against the truth.

python -m benchmarks.score --quick
python -m benchmarks.score --seeds 3 --instances 1000 --verbose
python -m benchmarks.score --only sampling
python -m benchmarks.score 'sim:order?instances=500&faults=lost:0.05&shape=link'
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

from analyzer import analyze
from benchmarks import grid, tables
from benchmarks.delay import Replayed, replay
from benchmarks.grid import Labelled
from benchmarks.scoring import Score, Wrong, score
from collectors.simulate import Scenario, parse


def main() -> None:
    """Run what was asked for and print the tables."""
    options = _options()
    total, wrong = Score(), list[tuple[str, str, Wrong]]()
    tables.head(tables.SCENARIOS)
    for labelled in _chosen(options):
        one, seconds = judged(labelled)
        tables.scenario(labelled.name, one, seconds)
        wrong += [(labelled.name, labelled.header.scenario, found) for found in one.wrong]
        total.add(replace(one, wrong=[]))
    tables.scenario("total", total, 0.0)
    tables.totals(total)
    if options.time:
        tables.waits(list(_replays(options)))
    if options.verbose:
        tables.confusion(wrong, options.verbose)


def judged(labelled: Labelled) -> tuple[Score, float]:
    """Analyse and compare; also the seconds that the analysis took."""
    started = time.perf_counter()
    analysis = analyze(labelled.recording, keys=labelled.keys)
    seconds = time.perf_counter() - started
    return score(analysis, labelled.truths, labelled.header.unread), seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("uris", nargs="*", help="these scenarios instead of the grid")
    parser.add_argument("--quick", action="store_true", help="a tenth of the grid")
    parser.add_argument("--seed", type=int, default=101, help="of the first grid; default: 101")
    parser.add_argument("--seeds", type=int, default=1, help="grids, each with the next seed")
    parser.add_argument("--instances", type=int, default=600, help="of each scenario")
    parser.add_argument("--keys", choices=("always", "needed", "never"), default="needed")
    parser.add_argument("--only", default="", help="scenarios whose title holds this text")
    parser.add_argument(
        "--time", action=argparse.BooleanOptionalAction, default=True,
        help="replay recordings to measure the time from a fault to its detection",
    )  # fmt: skip
    parser.add_argument("--verbose", type=int, nargs="?", const=40, default=0, metavar="N",
                        help="the commonest misjudgements, each with an example")  # fmt: skip
    return parser.parse_args()


def _seeds(options: argparse.Namespace) -> range:
    return range(options.seed, options.seed + options.seeds)


def _chosen(options: argparse.Namespace) -> Iterator[Labelled]:
    """The simulated scenarios, then the recordings."""
    for scenario in _scenarios(options):
        yield grid.played(scenario, options.keys)
    if not options.uris:
        yield from (one for one in grid.recordings() if options.only in one.name)


def _scenarios(options: argparse.Namespace) -> Iterator[Scenario]:
    if options.uris:
        yield from map(parse, options.uris)
        return
    for seed in _seeds(options):
        for scenario in grid.grid(options.quick, options.instances, seed):
            if options.only in grid.title(scenario):
                yield scenario


def _replays(options: argparse.Namespace) -> Iterator[Replayed]:
    for seed in _seeds(options):
        chosen = map(parse, options.uris) if options.uris else grid.timed(options.quick, seed)
        for scenario in chosen:
            if options.only in grid.title(scenario):
                yield replay(grid.played(scenario, options.keys))
    if not options.uris and not options.quick:
        for recording in grid.recordings():
            if options.only in recording.name:
                yield replay(recording)


if __name__ == "__main__":
    main()
