"""The expected flow, learned from the recording: which step follows which, how surely, how soon."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, encode, ints
from analyzer.steps.table import StepTable
from analyzer.stitching.evidence import Tier
from analyzer.stitching.roles import Role

MIN_SEEN = 2  # times a step must have followed before anybody expects it
MIN_SHARE = 0.5  # of the opportunities
MIN_HISTORY = 5  # waits that a deadline is learned from
LATE_FLOOR_NS = 500_000_000  # brokers poll: half a second is never late
STUCK_FLOOR_NS = 2_000_000_000
LATE_FACTOR = 1.5  # times the 99th percentile
STUCK_FACTOR = 3.0  # times the longest wait seen: beyond it the deadline is extrapolated
SHORT_HISTORY_FACTOR = 10.0  # the same, from fewer than TRUSTED waits
TRUSTED = 20
ALWAYS_AFTER = 0.95  # share of a step's occurrences that follow the same one, in time alone

TRANSITIONS: dict[str, pl.DataType] = {
    "a": pl.Int64(),  # label of the step before
    "b": pl.Int64(),  # label of the step after
    "message": pl.Boolean(),  # b consumed what a sent
    "within": pl.Boolean(),  # b always began before a ended: it cannot come later
    "n": pl.Int64(),  # opportunities: occurrences of a
    "k": pl.Int64(),  # occurrences of a that b followed
    "p50_ns": pl.Int64(),
    "p99_ns": pl.Int64(),
    "max_ns": pl.Int64(),
    "late_ns": pl.Int64(),
    "stuck_ns": pl.Int64(),
    "same_trace": pl.Float64(),  # share of cases in which both stood in one trace
    "last_start_ns": pl.Int64(),  # start of the last a that b followed
}


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a proportion (Wilson, JASA 22, 1927)."""
    if n == 0:
        return 0.0, 1.0
    p = k / n
    middle = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


def followed(table: StepTable, reads: Flags | None = None) -> pl.DataFrame:
    """One row for each (step, label that followed it): columns step, a, b, wait, message, late.

    `reads`: steps in which somebody only looked, which no flow waits for unless it asks for them.
    """
    label = table.label
    sure = np.flatnonzero((table.tier != Tier.TIME) | _always_after(table, reads))
    width = int(label.max(initial=0)) + 1
    _, first = encode(table.source[sure] * width + label[table.target[sure]])
    edges = sure[first]
    source, target = table.source[edges], table.target[edges]
    message = (table.role[source] == Role.SEND) & np.isin(
        table.role[target], (Role.PROCESS, Role.RECEIVE)
    )
    return pl.DataFrame(
        {
            "step": source,
            "a": label[source],
            "b": label[target],
            "wait": table.wait[edges],
            "message": message,
            "after_end": table.start[target] > table.end[source],
            "start": table.start[source],
            "same_trace": table.trace[source] == table.trace[target],
        }
    )


def _always_after(table: StepTable, reads: Flags | None) -> Flags:
    """Edges that only the order in time suggests, between steps that come so each time: the one
    after the other has ended, whatever else there is. All others teach nothing.

    A key alone joins what a person, or a bus without spans, hands on; that it comes is known only
    from the others.
    """
    timed = np.asarray(table.tier == Tier.TIME)
    if reads is not None:
        timed &= ~reads[table.target]
    if not timed.any():
        return timed
    a, b = table.label[table.source], table.label[table.target]
    pair, _ = encode(a * (int(table.label.max()) + 1) + b)
    later = table.start[table.target] >= table.end[table.source]
    together = np.bincount(pair[timed & later], minlength=int(pair.max()) + 1)[pair]
    times = np.bincount(table.label)[b]
    return np.asarray(timed & (together >= TRUSTED) & (together >= ALWAYS_AFTER * times))


def learn(table: StepTable, pairs: pl.DataFrame) -> pl.DataFrame:
    """Transitions with their shares and deadlines; shape TRANSITIONS, sorted by (a, b).

    `pairs`: what `followed` says of the table.
    """
    wait = pl.col("wait")
    grouped = (
        pairs.group_by("a", "b", "message")
        .agg(
            k=pl.len().cast(pl.Int64),
            p50_ns=wait.quantile(0.5, "lower").cast(pl.Int64),
            p99_ns=wait.quantile(0.99, "lower").cast(pl.Int64),
            max_ns=wait.max(),
            outside=pl.col("after_end").mean(),
            same_trace=pl.col("same_trace").mean(),
            last_start_ns=pl.col("start").max(),
        )
        .filter(pl.col("k") >= MIN_SEEN)
        .with_columns(within=~pl.col("message") & (pl.col("outside") <= 0.01))
    )
    counts = np.bincount(table.label, minlength=1)
    grouped = grouped.with_columns(n=pl.Series(counts)[grouped["a"]].cast(pl.Int64))
    return _deadlines(grouped).select(list(TRANSITIONS)).sort("a", "b", "message")


def _deadlines(grouped: pl.DataFrame) -> pl.DataFrame:
    """Late: past the 99th percentile with a margin. Stuck: far past the longest wait seen.

    With the longest of n waits as yardstick the survival function needs no shape: a healthy
    step that comes later than three times the longest of n has a chance well below 1/n for
    anything up to a log-normal tail of sigma 1.5.
    """
    factor = pl.when(pl.col("k") >= TRUSTED).then(STUCK_FACTOR).otherwise(SHORT_HISTORY_FACTOR)
    late = pl.max_horizontal(LATE_FACTOR * pl.col("p99_ns"), pl.col("max_ns").cast(pl.Float64))
    late = late.clip(lower_bound=LATE_FLOOR_NS)
    stuck = (factor * pl.col("max_ns")).clip(lower_bound=STUCK_FLOOR_NS)
    longest = float(2**62)
    return grouped.with_columns(
        late_ns=late.clip(upper_bound=longest).cast(pl.Int64),
        stuck_ns=pl.max_horizontal(late, stuck).clip(upper_bound=longest).cast(pl.Int64),
    )


def candidates(transitions: pl.DataFrame, starts: pl.DataFrame) -> pl.DataFrame:
    """Transitions worth looking for absences: usual ones, and those that were usual until a
    consumer fell silent. `starts`: columns a, start of every step."""
    usual = pl.col("k") >= MIN_SHARE * pl.col("n")
    rare = transitions.filter(~usual & pl.col("message") & (pl.col("k") >= 3))
    if not rare.is_empty():
        before = (
            rare.select("a", "b", "last_start_ns")
            .join(starts, on="a")
            .filter(pl.col("start") <= pl.col("last_start_ns"))
            .group_by("a", "b")
            .agg(n_before=pl.len())
        )
        rare = rare.join(before, on=["a", "b"]).filter(pl.col("k") >= 0.9 * pl.col("n_before"))
    kept = pl.concat([transitions.filter(usual), rare.select(transitions.columns)])
    return kept.filter(pl.col("k") < pl.col("n")).sort("a", "b")


def absences(table: StepTable, services: Ints, transitions: pl.DataFrame) -> pl.DataFrame:
    """Steps after which an expected step is missing.

    `services`: service code of each label. A message counts as consumed where the same service
    took it under another name. Columns: step, instance, a, b, message, within, since, age is
    not known here.
    """
    starts = pl.DataFrame({"a": table.label, "start": table.start})
    wanted = candidates(transitions, starts)
    wanted = wanted.with_columns(service=services[wanted["b"].to_numpy()])
    step, of = _lacking(table, ints(wanted["a"]), ints(wanted["b"]))
    steps = pl.DataFrame(
        {
            "step": step,
            "a": table.label[step],
            "instance": table.instance[step],
            "start": table.start[step],
            "end": table.end[step],
            "error": table.error[step],
        }
    )
    missing = steps.hstack(wanted.drop("a")[of])
    if missing.is_empty():
        return missing
    concerned = np.zeros(len(table), dtype=np.bool_)
    concerned[step] = True
    edges = np.flatnonzero(concerned[table.source])
    by_service = pl.DataFrame(
        {
            "step": table.source[edges],
            "service": services[table.label[table.target[edges]]],
            "c": table.label[table.target[edges]],
        }
    )
    taken = missing.filter("message").join(by_service, on=["step", "service"])
    taken = taken.join(_both_come(table, taken), on=["a", "b", "c"], how="anti")
    missing = missing.join(taken.select("step", "b"), on=["step", "b"], how="anti")
    repeated = _repetitions(table, missing)
    missing = missing.join(repeated, on=["step", "b"], how="anti")
    return _usual_in_context(table, missing).sort("instance", "step", "b")


def _both_come(table: StepTable, taken: pl.DataFrame) -> pl.DataFrame:
    """Of the triples a, b, c of `taken` (b is absent, the same service took the message in c)
    those where b usually comes beside c: of two handlers one does not stand for the other."""
    triples = taken.select("a", "b", "c").unique()
    if triples.is_empty():
        return triples
    labels = np.zeros(int(table.label.max(initial=0)) + 1, dtype=np.bool_)
    labels[ints(triples["a"])] = True
    edges = np.flatnonzero(labels[table.label[table.source]])
    source, target = table.source[edges], table.target[edges]
    came = {"step": source, "a": table.label[source], "c": table.label[target]}
    steps = pl.DataFrame(came).unique().join(triples, on=["a", "c"])
    beside = pl.DataFrame({"step": source, "b": table.label[target], "beside": True}).unique()
    share = pl.col("beside").fill_null(False).mean()
    shares = steps.join(beside, on=["step", "b"], how="left").group_by("a", "b", "c").agg(share)
    return shares.filter(pl.col("beside") >= MIN_SHARE).select("a", "b", "c")


def _lacking(table: StepTable, a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """(step, number of the pair) of every step with label a[n] that no step with label b[n]
    follows; `a` is sorted.

    One turn over steps and edges for the first pair of each label, another for the second of
    those that have two, ...: nothing is joined that is not missing.
    """
    steps, edges = np.arange(len(table)), np.arange(len(table.source))
    came = np.zeros(len(table), dtype=np.bool_)
    turn = np.arange(len(a)) - np.searchsorted(a, a)
    found = [(steps[:0], steps[:0])]
    for number in range(int(turn.max(initial=-1)) + 1):
        pair_of = np.full(int(table.label.max(initial=0)) + 1, -1, dtype=np.int64)
        pair_of[a[turn == number]] = np.flatnonzero(turn == number)
        steps = steps[pair_of[table.label[steps]] >= 0]
        pair = pair_of[table.label[table.source[edges]]]
        edges, pair = edges[pair >= 0], pair[pair >= 0]
        hit = b[pair] == table.label[table.target[edges]]
        came[steps] = False
        came[table.source[edges[hit]]] = True
        lack = steps[~came[steps]]
        found.append((lack, pair_of[table.label[lack]]))
    step, of = zip(*found, strict=True)
    return np.concatenate(step), np.concatenate(of)


def _usual_in_context(table: StepTable, missing: pl.DataFrame) -> pl.DataFrame:
    """Drop absences after a step that b never follows when it was itself brought about in that
    way: one exchange carries several events, and only some of them go on to b."""
    before = np.full(len(table), -1, dtype=np.int64)
    before[table.target[::-1]] = table.label[table.source[::-1]]
    concerned = np.zeros(int(table.label.max(initial=0)) + 1, dtype=np.bool_)
    concerned[missing["a"].to_numpy()] = True
    edges = np.flatnonzero(concerned[table.label[table.source]])
    source = table.source[edges]
    seen = pl.DataFrame(
        {"a": table.label[source], "b": table.label[table.target[edges]], "before": before[source]}
    ).unique()
    missing = missing.with_columns(before=before[missing["step"].to_numpy()])
    return missing.join(seen, on=["a", "b", "before"], how="semi").drop("before")


def _repetitions(table: StepTable, missing: pl.DataFrame) -> pl.DataFrame:
    """Absences (step, b) after one attempt at a message whose other attempt b did follow, or
    after one that came when the step had succeeded: a redelivery or a replay that an idempotent
    handler dropped, an error before the retry. Only takes of one send are attempts at one thing:
    two calls of one request are two different things."""
    origin = np.full(len(table), -1, dtype=np.int64)
    taken = table.role[table.source] == Role.SEND
    taken &= np.isin(table.role[table.target], (Role.PROCESS, Role.RECEIVE))
    origin[table.target[taken][::-1]] = table.source[taken][::-1]
    open_steps = missing.filter(~pl.col("message")).select("step", "a", "b", "start")
    open_steps = open_steps.with_columns(origin=origin[ints(open_steps["step"])])
    open_steps = open_steps.filter(pl.col("origin") >= 0)
    concerned = np.zeros(len(table) + 1, dtype=np.bool_)  # the last one: no origin
    concerned[ints(open_steps["origin"])] = True
    # a step that lacks b is not the one that b followed: no need to pair the attempts
    edges = np.flatnonzero(concerned[origin[table.source]])
    source, target = table.source[edges], table.target[edges]
    done = pl.DataFrame(
        {"origin": origin[source], "a": table.label[source], "b": table.label[target]}
    )
    again = open_steps.join(_successes(table, origin, concerned), on=["origin", "a"])
    repeated = [
        open_steps.join(done, on=["origin", "a", "b"], how="semi"),
        again.filter(pl.col("start") > pl.col("succeeded")),
    ]
    return pl.concat([part.select("step", "b") for part in repeated]).unique()


def _successes(table: StepTable, origin: Ints, concerned: Flags) -> pl.DataFrame:
    """Start of the first success (succeeded) of each step a at each message of `concerned`."""
    good = np.flatnonzero(concerned[origin] & ~table.error)
    attempts = pl.DataFrame(
        {"origin": origin[good], "a": table.label[good], "at": table.start[good]}
    )
    return attempts.group_by("origin", "a").agg(succeeded=pl.col("at").min())


def burst(absent: np.ndarray) -> bool:
    """Whether absences in time order are one fault window rather than chance.

    The window holds at least four fifths of all absences, and in it at least four fifths of
    the occurrences are absent; by a runs test (Wald and Wolfowitz 1940) chance does so in
    less than one case in a hundred.
    """
    total, gone = len(absent), int(absent.sum())
    if gone < 3 or total - gone < 3:
        return False
    positions = np.flatnonzero(absent)
    trim = gone // 10
    first, last = positions[trim], positions[gone - 1 - trim]
    inside = int(absent[first : last + 1].sum())
    if inside < 0.8 * gone or inside < 0.8 * (last - first + 1):
        return False
    return runs_p_value(absent) < 0.01


def runs_p_value(flags: np.ndarray) -> float:
    """One-sided p-value of so few runs, normal approximation with continuity correction; exact
    below 20 of the rarer kind by the hypergeometric count of runs."""
    ones, zeros = int(flags.sum()), int((~flags.astype(bool)).sum())
    runs = 1 + int((flags[1:] != flags[:-1]).sum())
    if min(ones, zeros) == 0:
        return 1.0
    if max(ones, zeros) < 500:
        return _exact_runs(ones, zeros, runs)
    total = ones + zeros
    mean = 1 + 2 * ones * zeros / total
    variance = (mean - 1) * (mean - 2) / (total - 1)
    return 0.5 * math.erfc((mean - runs - 0.5) / math.sqrt(2 * variance))


def _exact_runs(ones: int, zeros: int, runs: int) -> float:
    total = math.comb(ones + zeros, ones)
    ways = 0
    for r in range(2, runs + 1):
        half, odd = divmod(r, 2)
        if odd:
            ways += math.comb(ones - 1, half) * math.comb(zeros - 1, half - 1)
            ways += math.comb(ones - 1, half - 1) * math.comb(zeros - 1, half)
        else:
            ways += 2 * math.comb(ones - 1, half - 1) * math.comb(zeros - 1, half - 1)
    return ways / total


def label_services(labels: pl.DataFrame) -> Ints:
    """Code of the service of each label."""
    return labels["service"].to_physical().cast(pl.Int64).to_numpy()
