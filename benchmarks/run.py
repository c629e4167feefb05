"""Measure choreoscope beside the naive script and the peers, in one run, and print Markdown.

    python -m benchmarks.run [--quick] [--rounds 3] [--output FILE.md]

Every figure is of a whole process: start, imports, reading, analysis, writing the answer. The
contenders take turns, round after round, so that a noisy machine is noisy to all of them; ratios
are taken inside a round and the median of the rounds is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.eventlog import write_event_log
from benchmarks.generate import Recipe, generate, truth_path
from benchmarks.measure import Cost, measure

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "benchmarks" / "data"
MINERS = ("pm4py", "r4pm")
# Every contender's modules are compiled once, as those of an installed package are.
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(DATA / "compiled")}
WRONG_STATES = {"stuck", "late", "failed", "dead-lettered", "orphaned"}


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to answer the questions: its command line for (recording, answer)."""

    name: str
    argv: Callable[[Path, Path], list[str]]
    environment: dict[str, str] = field(default_factory=dict)


def _script(path: str, python: str = sys.executable) -> Callable[[Path, Path], list[str]]:
    return lambda recording, answer: [python, str(ROOT / path), str(recording), str(answer)]


def command() -> list[str]:
    """The console script of this environment, or the same entry point where it is not installed."""
    script = Path(sys.executable).with_name("choreoscope")
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "from tui.cli import main; main()"]


def _analyze(recording: Path, answer: Path) -> list[str]:
    words = ["analyze", str(recording), "--output", f"json={answer}", "--fail-on", "none"]
    return [*command(), *words]


CHOREOSCOPE = Contender("choreoscope", _analyze)
NAIVE = Contender("naive script", _script("benchmarks/naive.py"))
PEERS = {
    "json": Contender("DuckDB, flat table + links", _script("benchmarks/peers/duckdb_flat.py")),
    "protobuf": Contender("pandas script", _script("benchmarks/peers/pandas_script.py")),
}


def recording(recipe: Recipe) -> Path:
    """The recording's path; made if it is not there yet."""
    gap = f"-gap{recipe.gap_s:g}" if recipe.gap_s else ""
    path = DATA / f"{recipe.layout}{gap}-{recipe.spans}.{recipe.encoding}"
    if not path.exists():
        say(f"generating {path.name}")
        generate(recipe, path)
    return path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def truth_of(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(truth_path(path).read_text())
    return document


def answer_of(contender: Contender, path: Path) -> Path:
    return DATA / f"{path.name}.{contender.name.split()[0].strip(',')}.json"


def once(contender: Contender, path: Path) -> Cost:
    """One whole process; a failure is an error, never a fast figure."""
    argv = contender.argv(path, answer_of(contender, path))
    cost = measure(argv, ROOT, DATA / "stderr.txt", COMPILED | contender.environment)
    say(f"  {contender.name:28} {cost.cpu_s:8.2f} cpu s {cost.wall_s:8.2f} s {cost.rss_mb:7.0f} MB")
    if cost.code:
        raise SystemExit(f"{contender.name} on {path.name}: exit {cost.code}\n{cost.errors}")
    return cost


def warm_up(contenders: Sequence[Contender]) -> None:
    """One untimed run of choreoscope on a small recording, so that its modules are compiled."""
    if CHOREOSCOPE in contenders:
        once(CHOREOSCOPE, recording(Recipe(1_000, "protobuf")))
        once(CHOREOSCOPE, recording(Recipe(1_000, "json")))


def take_turns(contenders: Sequence[Contender], path: Path, rounds: int) -> dict[str, list[Cost]]:
    """`rounds` rounds; who begins moves on by one each round."""
    costs: dict[str, list[Cost]] = {c.name: [] for c in contenders}
    warm_up(contenders)
    for turn in range(rounds):
        say(f"{path.name}, round {turn + 1} of {rounds}")
        first = turn % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            costs[contender.name].append(once(contender, path))
    return costs


def ratio(costs: dict[str, list[Cost]], slow: str, fast: str) -> float:
    """How many times less CPU `fast` took than `slow`: median over the rounds."""
    return median(
        a.cpu_s / b.cpu_s for a, b in zip(costs[slow], costs[fast], strict=True) if b.cpu_s
    )


def race_rows(path: Path, costs: dict[str, list[Cost]]) -> list[str]:
    spans = truth_of(path)["spans"]
    rows = []
    for name, runs in costs.items():
        cpu, wall = median(c.cpu_s for c in runs), median(c.wall_s for c in runs)
        cells = (
            path.suffix[1:],
            f"{spans:,}",
            name,
            f"{spans / cpu / 1e3:,.1f}k",
            f"{spans / wall / 1e3:,.1f}k",
            f"{max(c.rss_mb for c in runs):,.0f}",
            f"{ratio(costs, NAIVE.name, name):.1f}x" if NAIVE.name in costs else "",
        )
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def verdict(path: Path) -> dict[str, Any]:
    """What choreoscope found, against the truth that the generator wrote."""
    truth = truth_of(path)
    answer = json.loads(answer_of(CHOREOSCOPE, path).read_text())
    found = {
        (e["source"], e["target"], e.get("destination") or ""): e["calls"] for e in answer["edges"]
    }
    right = sum(
        found.get((e["source"], e["target"], e["destination"])) == e["calls"]
        for e in truth["edges"]
    )
    wrong = _wrong_instances(path)
    expected = set(truth["unconfirmed"])
    claimed = {i for i in wrong if not i & set(truth["undecided"])}
    hits = sum(bool(i & expected) for i in claimed)
    return {
        "spans": answer["input"]["spans"] == truth["spans"],
        "instances": (answer["instances"]["total"], truth["instances"]),
        "edges": (right, len(truth["edges"]), len(found)),
        "precision": hits / len(claimed) if claimed else float(not expected),
        "recall": hits / len(expected) if expected else 1.0,
    }


def _wrong_instances(path: Path) -> set[frozenset[str]]:
    """The trace ids of each instance in a state that somebody should look at (not timed)."""
    argv = [*command(), "instances", str(path), "--format", "json"]
    lines = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in lines.splitlines()]
    return {frozenset(r["trace_ids"]) for r in rows if r["state"] in WRONG_STATES}


def verdict_row(path: Path) -> str:
    v = verdict(path)
    cells = (
        path.name,
        "all" if v["spans"] else "NOT all",
        f"{v['instances'][0]:,} of {v['instances'][1]:,}",
        f"{v['precision']:.3f} / {v['recall']:.3f}",
        f"{v['edges'][0]} of {v['edges'][1]} exact ({v['edges'][2]} reported)",
    )
    return "| " + " | ".join(cells) + " |"


def miners(spans: int, rounds: int) -> list[str]:
    """pm4py and r4pm, from an environment of their own, on the event log of the same orders."""
    home = DATA / "miners"
    try:
        if not (home / ".done").exists():
            say("installing pm4py and r4pm into benchmarks/data/miners")
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--quiet", *MINERS, "polars", "pandas", "pyarrow"], check=True)
            (home / ".done").touch()
    except subprocess.CalledProcessError as problem:
        return [f"pm4py and r4pm: skipped, {problem}"]
    log = DATA / f"mixed-{spans}.events.parquet"
    events = write_event_log(Recipe(spans, "json"), log)
    python = str(home / "bin" / "python")
    found = [Contender(n, _script(f"benchmarks/peers/{n}_variants.py", python)) for n in MINERS]
    costs = take_turns(found, log, rounds)
    rows = [
        f"{events:,} events; CPU s of each part (the last round), then of the whole process.",
        "",
        "| miner | parts | process CPU s | peak MB |",
        "|---|---|---|---|",
    ]
    for contender in found:
        laps = json.loads(answer_of(contender, log).read_text())["cpu_s"]
        parts = ", ".join(f"{what} {seconds:.2f}" for what, seconds in laps.items())
        runs = costs[contender.name]
        cpu, rss = median(c.cpu_s for c in runs), max(c.rss_mb for c in runs)
        rows.append(f"| {contender.name} | {parts} | {cpu:.2f} | {rss:,.0f} |")
    return rows


def machine() -> str:
    names = ("polars", "pyarrow", "duckdb", "pandas", "networkx", "opentelemetry-proto")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {libraries}"


def laps_of(contender: Contender, path: Path) -> str:
    laps = json.loads(answer_of(contender, path).read_text())["cpu_s"]
    return ", ".join(f"{what} {seconds:.2f}" for what, seconds in laps.items())


def report(given: argparse.Namespace) -> list[str]:
    """Every table, as lines of Markdown."""
    lines = [machine(), "", "| encoding | spans | contender | spans / CPU s | spans / s | peak MB |"
             " CPU against naive |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    parts: list[str] = []
    judged: list[Path] = []
    for size in given.sizes:
        for encoding in given.encodings:
            path = recording(Recipe(size, encoding))
            beside = size <= given.beside
            contenders = [CHOREOSCOPE, NAIVE, PEERS[encoding]] if beside else [CHOREOSCOPE]
            lines += race_rows(path, take_turns(contenders, path, given.rounds))
            judged.append(path)
            if beside:
                peer = PEERS[encoding]
                parts.append(f"- {peer.name}, {size:,} spans, CPU s: {laps_of(peer, path)}")
    lines += ["", *parts, "", "| recording | spans read | instances | precision / recall of"
              " unconfirmed | service edges |", "|---|---|---|---|---|"]  # fmt: skip
    for layout, gap in (("parent", 0.0), ("links", 0.0), ("parent", 100.0), ("mixed", 100.0)):
        path = recording(Recipe(min(given.sizes), "protobuf", layout, gap))
        once(CHOREOSCOPE, path)
        judged.append(path)
    lines += [verdict_row(path) for path in judged]
    if given.miners:
        lines += ["", *miners(min(max(given.sizes), given.beside), given.rounds)]
    return lines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 spans only")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--encodings", nargs="+", default=["protobuf", "json"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--beside", type=int, default=1_000_000, help="the peers run up to this size"
    )
    parser.add_argument("--no-miners", dest="miners", action="store_false")
    parser.add_argument("--keep", action="store_true", help="keep recordings over 1 GB")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    given.sizes = [100_000] if given.quick else given.sizes
    return given


def main() -> None:
    given = arguments()
    DATA.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(DATA).free < 10e9 and max(given.sizes) > 1_000_000:
        raise SystemExit("benchmarks/data needs 10 GB for 5,000,000 spans; see --sizes")
    text = "\n".join(report(given))
    print(text)
    if given.output:
        given.output.write_text(text + "\n")
    if not given.keep:
        for path in DATA.iterdir():
            if path.is_file() and path.stat().st_size > 1e9:
                path.unlink()


if __name__ == "__main__":
    main()
