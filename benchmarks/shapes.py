"""Recordings of extreme shapes, and what a span of each costs to analyse as they grow.

    python -m benchmarks.shapes [--sizes 10000 100000] [--only chain fan-out] [--report]

Every recording is made in memory; only the analysis is timed, each in a process of its own. A
last column near 1 is linear; one near the ratio of the sizes is quadratic.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from collectors import schema
from collectors.recording import Recording
from collectors.schema import Kind

ROOT = Path(__file__).resolve().parent.parent
BEGIN_NS = 1_767_225_600 * 10**9
MS = 1_000_000
Ints = npt.NDArray[np.int64]
Column = Ints | Sequence[str | None] | str | int | pl.Series


def recording(
    count: int, links: Mapping[str, Ints] | None = None, key: str = "", **columns: Column
) -> Recording:
    """A recording of `count` spans in the order given, one a millisecond, span ids from 1 on.

    `columns` fill SPANS; by default every span is a root in a trace of its own. `links` has row
    numbers (span, target). `key`: an attribute that every span has with one and the same value.
    """
    rows = np.arange(count)
    given: dict[str, Column] = {
        "trace_hi": 1,
        "trace_lo": rows + 1,
        "span_id": rows + 1,
        "parent_id": 0,
        "start_ns": BEGIN_NS + rows * MS,
        "end_ns": BEGIN_NS + rows * MS + MS // 2,
        "name": "work",
        "kind": int(Kind.SERVER),
        "status": 0,
        "quality": 0,
        "service": "alone",
        **columns,
    }
    frame = pl.select(pl.int_range(count, eager=True).alias("row")).with_columns(
        **{
            name: pl.lit(value) if isinstance(value, (int, str)) else pl.Series(value)
            for name, value in given.items()
        }
    )
    spans = schema.complete(frame.drop("row"), schema.SPANS)
    ends = links or {"span": rows[:0], "target": rows[:0]}
    linked = spans[ends["target"]].select("trace_hi", "trace_lo", "span_id")
    linked = linked.with_columns(span=pl.Series(ends["span"]), is_message=pl.lit(False))
    attributes = frame.select(span="row", key=pl.lit(key), value=pl.lit("all")).head(
        count if key else 0
    )
    return Recording(
        spans,
        schema.complete(linked, schema.LINKS),
        schema.empty(schema.EVENTS),
        schema.complete(attributes, schema.ATTRIBUTES),
        schema.empty(schema.LINK_ATTRIBUTES),
    )


def _letters(numbers: Ints) -> list[str]:
    """A name without digits for each number, so that no two are taken for one."""
    return ["op" + np.base_repr(int(n), 8).translate(_DIGITS) for n in numbers]


_DIGITS = str.maketrans("01234567", "qwertyui")


def _services(numbers: Ints) -> list[str]:
    return [f"{name}-service" for name in _letters(numbers)]


def giant(count: int) -> Recording:
    """One trace, one instance: a tree of calls in which each span has ten below it."""
    rows = np.arange(count)
    parent = np.where(rows, (rows - 1) // 10 + 1, 0)
    return recording(count, trace_lo=1, parent_id=parent, service=_services(rows % 7))


def singles(count: int) -> Recording:
    """Traces of one span."""
    return recording(count)


def labels(count: int) -> Recording:
    """Every span has a name of its own."""
    return recording(count, name=_letters(np.arange(count)))


def workflows(count: int) -> Recording:
    """Up to 10,000 workflows, each of a request and the message it sends, run ten times or more."""
    rows = np.arange(count - count % 2)
    number = rows // 2 % min(10_000, max(1, count // 20))
    names = [f"{n} {'in' if row % 2 else 'out'}" for row, n in enumerate(_letters(number))]
    return recording(
        len(rows),
        trace_lo=rows // 2 + 1,
        parent_id=np.where(rows % 2, rows, 0),
        name=names,
        service=_services(rows % 2),
    )


def chain(count: int) -> Recording:
    """One trace in which each span calls the next, back and forth between two services."""
    rows = np.arange(count)
    return recording(count, trace_lo=1, parent_id=rows, service=_services(rows % 2))


def hops(count: int) -> Recording:
    """One instance of messages: each span is a trace of its own and links the one before."""
    rows = np.arange(count)
    kind = np.where(rows % 2, int(Kind.CONSUMER), int(Kind.PRODUCER))
    links = {"span": rows[1:], "target": rows[:-1]}
    return recording(count, links, kind=kind, service=_services(rows % 3))


def fan_out(count: int) -> Recording:
    """One message that all others consume."""
    rows = np.arange(count)
    kind = np.where(rows, int(Kind.CONSUMER), int(Kind.PRODUCER))
    links = {"span": rows[1:], "target": np.zeros(count - 1, dtype=np.int64)}
    return recording(count, links, kind=kind, service=_services(np.minimum(rows, 1)))


def batch(count: int) -> Recording:
    """One consumer of all other spans' messages."""
    rows = np.arange(count)
    last = rows == count - 1
    kind = np.where(last, int(Kind.CONSUMER), int(Kind.PRODUCER))
    links = {"span": np.full(count - 1, count - 1), "target": rows[:-1]}
    return recording(count, links, kind=kind, service=_services(last.astype(np.int64)))


def one_key(count: int) -> Recording:
    """Traces of one span that all carry one and the same value of the key."""
    return recording(count, key="tenant.id")


def services(count: int) -> Recording:
    """As many services as spans, each calling the next in a trace of a hundred."""
    rows = np.arange(count)
    parent = np.where(rows % 100, rows, 0)
    return recording(count, trace_lo=rows // 100 + 1, parent_id=parent, service=_services(rows))


def retries(count: int) -> Recording:
    """One message that fails, again and again, in one service."""
    rows = np.arange(count)
    kind = np.where(rows, int(Kind.CONSUMER), int(Kind.PRODUCER))
    links = {"span": rows[1:], "target": np.zeros(count - 1, dtype=np.int64)}
    status = np.where(rows, 2, 0)
    return recording(count, links, kind=kind, status=status, service=_services(np.minimum(rows, 1)))


def lost(count: int) -> Recording:
    """Messages, half of which nobody takes: an absence, a verdict and a finding each."""
    rows = np.arange(count)
    order, part = rows // 3, rows % 3
    kind = np.array([int(Kind.SERVER), int(Kind.PRODUCER), int(Kind.CONSUMER)])[part]
    parent = np.where(part == 1, rows, np.where((part == 2) & (order % 2 == 0), rows, 0))
    trace = np.where((part == 2) & (order % 2 == 1), count + rows, order + 1)
    return recording(
        count,
        trace_lo=trace,
        parent_id=parent,
        kind=kind,
        name=np.array(["POST /orders", "orders publish", "orders process"])[part].tolist(),
        destination=pl.Series([None, "orders", "orders"]).gather(part),
        service=np.array(["shop", "shop", "stock"])[part].tolist(),
    )


def faulty_workflows(count: int) -> Recording:
    """Up to 3,000 workflows of three steps, thirty runs or more each, a tenth cut short."""
    rows = np.arange(count)
    order, part = rows // 3, rows % 3
    number = order % min(3_000, max(1, count // 90))
    lacking = (part == 2) & (order // min(3_000, max(1, count // 90)) % 10 == 9)
    kind = np.array([int(Kind.SERVER), int(Kind.PRODUCER), int(Kind.CONSUMER)])[part]
    names = [f"{name} {p}" for name, p in zip(_letters(number), part.tolist(), strict=True)]
    return recording(
        count,
        trace_lo=np.where(lacking, count + rows, order + 1),
        parent_id=np.where((part > 0) & ~lacking, rows, 0),
        kind=np.where(lacking, int(Kind.SERVER), kind),
        name=np.where(lacking, "elsewhere", np.array(names)).tolist(),
        service=_services(part),
    )


def verbs(count: int) -> Recording:
    """Every span reserves or releases something else."""
    numbers = np.arange(count)
    names = [
        f"{('reserve', 'release')[n % 2]} {name}" for n, name in enumerate(_letters(numbers // 2))
    ]
    return recording(count, name=names, kind=int(Kind.PRODUCER))


SHAPES: dict[str, Callable[[int], Recording]] = {
    "one giant instance": giant,
    "traces of one span": singles,
    "labels": labels,
    "workflows": workflows,
    "chain of calls": chain,
    "chain of messages": hops,
    "fan-out": fan_out,
    "batch": batch,
    "one key": one_key,
    "services": services,
    "retries": retries,
    "lost messages": lost,
    "faulty workflows": faulty_workflows,
    "verbs": verbs,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one analysis, and the peak of the process that did it."""

    cpu_s: float
    rss_mb: float


def cost(shape: str, count: int, report: bool = False) -> Cost:
    """The analysis (with `report`: and the JSON report) of `count` spans of `shape`, in a process
    of its own."""
    words = [sys.executable, "-m", "benchmarks.shapes", "--one", shape, str(count)]
    done = subprocess.run(
        [*words, *(["--report"] if report else [])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{shape}, {count:,} spans: {done.stderr[-2000:]}")
    return Cost(*map(float, done.stdout.split()))


def one(shape: str, count: int, report: bool) -> None:
    """Time one analysis in this process, and print it."""
    from analyzer.pipeline import analyze_recording

    made = SHAPES[shape](count)
    analyze_recording(SHAPES[shape](100), keys=("tenant.id",))  # imports and thread pools are paid
    before = _cpu_s()
    analysis = analyze_recording(made, keys=("tenant.id",))
    if report:
        from analyzer.reporters.context import Context
        from analyzer.reporters.json import render

        render(analysis, Context())
    print(_cpu_s() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def row(shape: str, sizes: Sequence[int], report: bool) -> str:
    costs = [cost(shape, size, report) for size in sizes]
    each = [one_.cpu_s / size * 1e6 for one_, size in zip(costs, sizes, strict=True)]
    cells = [shape, *(f"{micros:.1f}" for micros in each)]
    cells += [f"{costs[-1].rss_mb:,.0f}", f"{each[-1] / each[0]:.1f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--only", nargs="+", choices=sorted(SHAPES), default=list(SHAPES))
    parser.add_argument("--report", action="store_true", help="time the JSON report too")
    parser.add_argument("--one", nargs=2, metavar=("SHAPE", "SPANS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one[0], int(given.one[1]), given.report)
        return
    heads = [f"us a span, {size:,}" for size in given.sizes]
    print("| " + " | ".join(["shape", *heads, "peak MB", "growth"]) + " |")
    print("|---" * (len(given.sizes) + 3) + "|")
    for shape in given.only:
        print(row(shape, given.sizes, given.report), flush=True)


if __name__ == "__main__":
    main()
