"""What to simulate: the scenario, and its form as a URI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlencode

from collectors.simulate.faults import FAULTS
from collectors.simulate.flows import DAY, HOUR, SECOND, Flow, orchestrate
from collectors.simulate.systems import SYSTEMS

SHAPES: Final = ("child", "link", "key", "batch")
STYLES: Final = ("choreographed", "orchestrated")
CONVENTIONS: Final = ("new", "old")
BROKERS: Final = ("kafka", "rabbitmq", "sqs")
MOST_INSTANCES: Final = 1_000_000_000
KEYS: Final = ("all", "first", "none")

_UNITS: Final = {
    "ms": SECOND // 1000,
    "s": SECOND,
    "m": 60 * SECOND,
    "min": 60 * SECOND,
    "h": HOUR,
    "d": DAY,
}


class ScenarioError(ValueError):
    """A scenario cannot be run; the message says what would be valid."""


@dataclass(frozen=True)
class Scenario:
    """One simulation; the same scenario gives the same bytes.

    `faults` maps a name of `FAULTS` to its number. Instance faults exclude one another, so
    their shares add up to 1 at most. `gap_ns` stretches the wait before each delivery.
    """

    system: str = "order"
    instances: int = 1000
    seed: int = 1
    faults: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    shape: str = "child"
    style: str = "choreographed"
    semconv: str = "new"
    broker: str = "kafka"
    keys: str = "all"  # which spans carry the business key
    target: str = ""  # the service that faults aim at; "" lets the seed choose
    gap_ns: int = 0
    length_ns: int = 0  # time over which instances start; 0 chooses one

    def __post_init__(self) -> None:
        _member("system", self.system, SYSTEMS)
        _member("shape", self.shape, SHAPES)
        _member("style", self.style, STYLES)
        _member("semconv", self.semconv, CONVENTIONS)
        _member("broker", self.broker, BROKERS)
        _member("keys", self.keys, KEYS)
        _within("instances", self.instances, 1, MOST_INSTANCES)
        _within("seed", self.seed, 0, (1 << 64) - 1)
        _within("gap_ns", self.gap_ns, 0, 365 * DAY)
        _within("length_ns", self.length_ns, 0, 3650 * DAY)
        if self.target:
            _member("target", self.target, self.flow.services)
        _check_faults(self)

    @property
    def flow(self) -> Flow:
        """The workflow that runs, in the style asked for."""
        flow = SYSTEMS[self.system]
        return orchestrate(flow) if self.style == "orchestrated" else flow

    @property
    def instance_faults(self) -> dict[str, float]:
        """The faults that hit single instances, with their share."""
        return {k: v for k, v in self.faults.items() if FAULTS[k].where != "system"}

    @property
    def uri(self) -> str:
        """The scenario as text that `parse` reads."""
        parts = [f"instances={self.instances}", f"seed={self.seed}"]
        if self.faults:
            parts.append("faults=" + ",".join(f"{k}:{_exact(v)}" for k, v in self.faults.items()))
        plain = Scenario(self.system)
        for name in ("shape", "style", "semconv", "broker", "keys", "target"):
            value = getattr(self, name)
            parts += [f"{name}={value}"] * (value != getattr(plain, name))
        parts += [f"gap={_exact(self.gap_ns / SECOND)}s"] * bool(self.gap_ns)
        parts += [f"length={_exact(self.length_ns / SECOND)}s"] * bool(self.length_ns)
        return f"sim:{self.system}?{'&'.join(parts)}"


def _exact(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _member(what: str, value: str, names: Iterable[str]) -> None:
    known = list(names)
    if value in known:
        return
    near = get_close_matches(value, known, 1, 0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ScenarioError(f"unknown {what} {value!r}{hint} (valid: {', '.join(known)})")


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        unit = 1 if not what.endswith("_ns") else DAY
        word = f"{what.removesuffix('_ns')} is {value / unit:g}{' days' * (unit > 1)}"
        raise ScenarioError(f"{word}; it has to be {least} or more, and {most // unit} at most")


def _check_faults(scenario: Scenario) -> None:
    for name, value in scenario.faults.items():
        _member("fault", name, FAULTS)
        if name == "skew" and not 0 < abs(value) <= 86_400:
            raise ScenarioError(f"fault skew is {value:g}; it is seconds, up to a day")
        if name == "late-spans" and not 0 < value <= 3_600:
            raise ScenarioError(f"fault late-spans is {value:g}; it is seconds, up to an hour")
        if FAULTS[name].number != "seconds" and not 0 < value <= 1:
            raise ScenarioError(f"fault {name} is {value:g}; it is a share above 0 and up to 1")
        if not _possible(name, scenario.flow):
            can = [n for n in FAULTS if _possible(n, scenario.flow)]
            raise ScenarioError(
                f"{scenario.system} cannot have fault {name!r}; it can have {', '.join(can)}"
            )
    if sum(scenario.instance_faults.values()) > 1 + 1e-9:
        raise ScenarioError("the shares of the faults of single instances add up to more than 1")


def _possible(name: str, flow: Flow) -> bool:
    if name == "rejection":
        return "rejected" in (*flow.variants, *flow.extra)
    if name == "compensated":
        return "failed" in flow.extra
    if name == "no-compensation":
        return bool(flow.undo)
    return FAULTS[name].synchronous or not flow.synchronous


def parse(uri: str) -> Scenario:
    """Read `sim:SYSTEM?instances=N&faults=NAME:SHARE,...`; ScenarioError names the nearest word."""
    scheme, _, rest = uri.partition(":")
    if scheme != "sim":
        raise ScenarioError(f"{uri!r} does not begin with 'sim:'")
    system, _, query = rest.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    values: dict[str, str] = dict(pairs)
    for name in values:
        _member("parameter", name, _PARAMETERS)
    if len(values) < len(pairs):
        raise ScenarioError("a parameter stands there twice; each has one value")
    plain = {n: v for n, v in values.items() if n in _TEXTS}
    return Scenario(
        system=system or "order",
        instances=_integer("instances", values.get("instances", "1000")),
        seed=_integer("seed", values.get("seed", "1")),
        faults=MappingProxyType(_faults(values.get("faults", ""))),
        gap_ns=duration_ns(values.get("gap", "0s")),
        length_ns=duration_ns(values.get("length", "0s")),
        **plain,
    )


def changed(text: str, changes: Mapping[str, str], faults: Iterable[str] = ()) -> str:
    """A URI, or the name of a system, with other parameters and more faults; not yet checked."""
    scheme, _, rest = text.partition(":")
    system, _, query = (rest if scheme == "sim" else text).partition("?")
    pairs = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k not in changes]
    given = [one for part in faults for one in part.split(",")]
    if given:
        named = {one.partition(":")[0] for one in given}
        before = [one for k, v in pairs if k == "faults" for one in v.split(",")]
        kept = [one for one in before if one.partition(":")[0] not in named]
        pairs = [pair for pair in pairs if pair[0] != "faults"]
        pairs.append(("faults", ",".join([*kept, *given])))
    return f"sim:{system}?{urlencode([*pairs, *changes.items()], errors='backslashreplace')}"


_TEXTS: Final = ("shape", "style", "semconv", "broker", "keys", "target")
_PARAMETERS: Final = ("instances", "seed", "faults", "gap", "length", *_TEXTS)


def _integer(name: str, value: str) -> int:
    try:
        return int(float(value)) if "e" in value else int(value)
    except (ValueError, OverflowError):
        raise ScenarioError(f"{name}={value[:40]!r} is no whole number") from None


def _faults(value: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in filter(None, value.split(",")):
        if part == "none":
            continue
        name, _, number = part.partition(":")
        _member("fault", name, FAULTS)
        if name in found:
            raise ScenarioError(f"fault {name} stands there twice; each has one number")
        try:
            found[name] = float(number or default(name))
        except ValueError:
            raise ScenarioError(f"fault {name}: {number!r} is no number") from None
    return found


def default(fault: str) -> float:
    """The number of a fault that comes without one."""
    return _DEFAULTS.get(fault, _DEFAULTS.get(FAULTS[fault].number, 0.05))


_DEFAULTS: Final = {"1": 1.0, "skew": 2.0, "late-spans": 5.0, "share of traces kept": 0.1}


def duration_ns(value: str) -> int:
    """Nanoseconds of a text such as "100s", "1.5h" or "3d"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]*)", value)
    if match is None or (match[2] or "s") not in _UNITS:
        raise ScenarioError(f"{value!r} is no duration; write a number and one of {list(_UNITS)}")
    return round(float(match[1]) * _UNITS[match[2] or "s"])
