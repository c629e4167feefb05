"""Keys nobody configured: attributes that behave like one, and spans that contradict one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, ints, jump, of_words
from analyzer.stitching.keys import PLACEHOLDERS, Conflict
from collectors.recording import Recording
from collectors.schema import Kind

_TECHNICAL = (
    r"^(http|net|network|server|client|url|user_agent|thread|code|db|rpc|messaging|exception|otel|"
    r"telemetry|process|host|os|k8s|container|cloud|faas|aws|gcp|azure|peer|sampler|internal|span|"
    r"runtime|component|language|error|guid:|enduser|session|tls|dns|celery|kafka|pathway|dd|_dd|"
    r"jaeger|envoy|upstream|downstream|node|zone|request|response|mvc|class|method|thread|lc|ca|"
    r"sr|cs|ss|cr|feature_flag|service|deployment|device|browser|geo|ip|port|status|version)([._:-]|$)"
)
_SAMPLE = 200_000  # attribute rows looked at first; keys that fail there are not counted in full
_MIN_VALUES = 5
_MAX_TORN = 0.02  # share of fragments in which a key may contradict itself
_MAX_FRAGMENTS = 50  # fragments one value may join before it looks like a tenant


@dataclass(frozen=True)
class KeyCandidate:
    """An attribute that behaves like a business key."""

    key: str
    values: int
    fragments: int  # fragments that carry it
    joined: int  # values that would join two fragments or more
    services: int
    score: float  # 0..1


def discover(recording: Recording, fragment: Ints, above: Ints) -> tuple[KeyCandidate, ...]:
    """Attributes that would join fragments of different services without contradicting any.

    After Motahari-Nezhad et al., VLDB Journal 20(3), 2011: a correlation condition is
    interesting where its values are neither unique to a fragment nor shared by nearly all, and
    where it never puts two values into one fragment. Values side by side in one, as below a poll
    loop that carries none, are no contradiction. `above`: row of the cause of each span, or -1.
    """
    likely = _likely(recording.attributes)
    rows = recording.attributes[likely[:_SAMPLE]]
    promising = _judge(recording, fragment, above, rows, minimum=2)
    if len(likely) > _SAMPLE:
        keys = [one.key for one in promising]
        rows = recording.attributes.filter(_among(recording.attributes, keys))
    return tuple(_judge(recording, fragment, above, rows, minimum=_MIN_VALUES))


IDENTIFYING = 0.95  # share of cases with one value only, from which on a key identifies cases
MIN_CASES = 20


def contradictions(recording: Recording, component: Ints) -> tuple[Conflict, ...]:
    """Spans that carry another case's value of a key that nobody configured, but that all other
    cases show to be their identity: one value a case, and one case a value."""
    attributes = recording.attributes
    likely = _likely(attributes)
    promising = _identifying(_cases(attributes[likely[:_SAMPLE]], component))
    keys = promising["key"].cast(pl.String).to_list()
    if not keys:
        return ()
    cases = _cases(attributes.filter(_among(attributes, keys)), component)
    per_case = pl.len().over("key", "case")
    identifying = _identifying(cases)
    torn = cases.join(identifying.select("key"), on="key", how="semi").filter(per_case > 1)
    strongest = ["n", "value"]
    ranked = torn.sort(strongest, descending=[True, False]).with_columns(
        kept=pl.col("value").first().over("key", "case")
    )
    # a second value only contradicts where it is some other case's own
    elsewhere = cases.join(identifying.select("key"), on="key", how="semi").filter(per_case == 1)
    lost = ranked.filter(pl.col("value") != pl.col("kept")).join(
        elsewhere.select("key", "value").unique(), on=["key", "value"], how="semi"
    )
    found = lost.with_columns(pl.col("key").cast(pl.String)).sort("row", "key", "value")
    return tuple(
        Conflict(row, f"{key}={kept}", f"{key}={value}")
        for row, key, kept, value in found.select("row", "key", "kept", "value").iter_rows()
    )


def _cases(rows: pl.DataFrame, component: Ints) -> pl.DataFrame:
    """One row for each value of a key in a case: n spans carry it, `row` is the first."""
    rows = rows.with_columns(case=pl.Series(component[ints(rows["span"])]))
    return rows.group_by("key", "case", "value").agg(n=pl.len(), row=pl.col("span").min())


def _identifying(cases: pl.DataFrame) -> pl.DataFrame:
    """Keys (column key) with one value a case and one case a value, nearly always."""
    return (
        cases.with_columns(
            single=pl.len().over("key", "case") == 1, own=pl.len().over("key", "value") == 1
        )
        .group_by("key")
        .agg(pl.col("case").n_unique(), pl.col("single").mean(), pl.col("own").mean())
        .filter(
            (pl.col("case") >= MIN_CASES)
            & (pl.col("single") >= IDENTIFYING)
            & (pl.col("own") >= IDENTIFYING)
        )
        .select("key")
    )


def _likely(attributes: pl.DataFrame) -> Ints:
    """Rows of the attributes that are not about technology."""
    return np.flatnonzero(of_words(attributes["key"], lambda k: ~k.str.contains(_TECHNICAL)))


def _among(attributes: pl.DataFrame, keys: list[str]) -> pl.Series:
    """Whether each attribute is one of `keys`."""
    return pl.Series(of_words(attributes["key"], lambda names: names.is_in(keys)))


def _torn(frame: pl.DataFrame, above: Ints, loop: Flags) -> pl.DataFrame:
    """Share of the fragments of each key (columns key, several) that it contradicts itself in: it
    has several values there, and not only side by side below a loop. Few keys are looked at."""
    per_fragment = frame.group_by("key", "fragment").agg(n=pl.col("value").n_unique())
    shares = per_fragment.group_by("key").agg(
        several=(pl.col("n") > 1).mean(), fragments=pl.len().cast(pl.Int64)
    )
    doubtful = shares.filter(pl.col("several") > _MAX_TORN)["key"]
    torn: list[int | None] = []
    for key in doubtful:
        mine = frame.filter(pl.col("key") == key)
        mine = mine.join(per_fragment.filter(pl.col("n") > 1), on=["key", "fragment"])
        row = ints(mine["row"])
        value = np.full(len(above), -1, dtype=np.int64)
        value[row] = ints(mine["value"].rank("dense"))
        upper = np.where(above[row] >= 0, jump(above, value >= 0)[above[row]], -1)
        below_another = (upper >= 0) & (value[upper] != value[row])
        torn.append(mine.filter(pl.Series(below_another | ~loop[row]))["fragment"].n_unique())
    told = pl.DataFrame({"key": doubtful, "torn": pl.Series(torn, dtype=pl.Int64)})
    several = pl.coalesce(pl.col("torn") / pl.col("fragments"), "several")
    return shares.join(told, on="key", how="left").select("key", several=several)


def _loops(recording: Recording, above: Ints) -> Flags:
    """By span: whether the root above it is a loop or a job: it serves nobody, takes no message."""
    kind = ints(recording.spans["kind"])
    root = jump(above, above < 0)
    return np.asarray(~np.isin(kind[root], (Kind.SERVER, Kind.PRODUCER, Kind.CONSUMER)))


def _judge(
    recording: Recording, fragment: Ints, above: Ints, rows: pl.DataFrame, minimum: int
) -> list[KeyCandidate]:
    if rows.is_empty():
        return []
    row = ints(rows["span"])
    frame = rows.select("key", "value").with_columns(
        row=pl.Series(row),
        fragment=pl.Series(fragment[row]),
        service=recording.spans["service"][row],
    )
    frame = frame.filter(
        (pl.col("value").str.len_chars() >= 3) & ~pl.col("value").is_in(PLACEHOLDERS)
    )
    by_value = frame.group_by("key", "value").agg(
        fragments=pl.col("fragment").n_unique(), services=pl.col("service").n_unique()
    )
    figures = (
        by_value.group_by("key")
        .agg(
            values=pl.len(),
            fragments=pl.col("fragments").sum(),
            joined=(pl.col("fragments") > 1).sum(),
            largest=pl.col("fragments").max(),
            services=pl.col("services").max(),
        )
        .filter((pl.col("joined") >= 2) & (pl.col("services") >= 2))
    )
    promising = frame.filter(pl.col("key").is_in(figures["key"].implode()))
    figures = (
        figures.join(_torn(promising, above, _loops(recording, above)), on="key")
        .with_columns(pl.col("key").cast(pl.String))
        .filter(
            (pl.col("values") >= minimum)
            & (pl.col("joined") >= 2)
            & (pl.col("services") >= 2)
            & (pl.col("largest") <= _MAX_FRAGMENTS)
            & (pl.col("several") <= _MAX_TORN)
        )
        .with_columns(score=(pl.col("joined") / pl.col("values")) * (1 - pl.col("several")))
        .sort(["score", "joined", "key"], descending=[True, True, False])
    )
    names = ("key", "values", "fragments", "joined", "services", "score")
    return [KeyCandidate(*values) for values in figures.select(names).iter_rows()]
