"""Settings, and where each comes from: flag, environment, file, default.

Nearest first: a flag; CHOREOSCOPE_SECTION_NAME in the environment; `choreoscope.toml` in the
working folder; `[tool.choreoscope]` of its `pyproject.toml`; `choreoscope.toml` in the user's
configuration folder; the default.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.exits import Exit, Stop

FILE = "choreoscope.toml"
MOST = 1 << 20  # bytes of a configuration file


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; its type is its default's, a duration is a text such as "10s"."""

    name: str  # section.name
    default: Any
    help: str
    secret: bool = False
    least: int | None = None  # of a number

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return "CHOREOSCOPE_" + self.name.upper().replace(".", "_")


SETTINGS: tuple[Setting, ...] = (
    Setting("serve.host", "127.0.0.1", "address to listen on"),
    Setting("serve.grpc", 4317, "port of OTLP over gRPC; -1 = none", least=-1),
    Setting("serve.http", 4318, "port of OTLP over HTTP; -1 = none", least=-1),
    Setting("serve.zipkin", 9411, "port of Zipkin v2; -1 = none", least=-1),
    Setting("serve.api", 4320, "port of the API, the metrics and the health checks"),
    Setting("serve.hosts", (), "more names that this host is called by"),
    Setting("serve.token", "", "bearer token that callers must send", secret=True),
    Setting("serve.reader", "", "another token, which may only ask the API", secret=True),
    Setting("serve.certificate", "", "PEM file: TLS for every port"),
    Setting("serve.key", "", "PEM file: the certificate's key"),
    Setting("serve.clients", "", "PEM file: the authority of client certificates (mTLS)"),
    Setting("serve.limit", 64 << 20, "bytes of a request, unpacked", least=1),
    Setting("store.folder", "", "where what is received is kept; default: the user's data folder"),
    Setting("store.keep", "7d", "how long; 0s = for ever"),
    Setting("store.bytes", 0, "how much, in bytes of Parquet; 0 = without limit", least=0),
    Setting("monitor.keys", (), "business keys that join traces"),
    Setting("monitor.expect", "", "expectations file that workflows are held against"),
    Setting("monitor.grace", "15s", "how long a complete instance stays in memory"),
    Setting("monitor.history", 60_000, "spans of finished instances to learn from", least=0),
    Setting("monitor.spans", 1_000_000, "spans in memory at the most", least=1),
    Setting("monitor.names", 2_000_000, "names remembered at the most, 100 bytes each", least=1),
    Setting("alerts.for", "10s", "how long a fault must last before it is told"),
    Setting("alerts.keep", "1m", "how long it must be gone before it is resolved"),
    Setting("alerts.repeat", "1m", "how often a firing alert is sent to receivers that forget"),
    Setting("alerts.digest", "0s", "chats get one message in so long; 0s = at once"),
    Setting("alerts.severity", "warning", "the least severity that is told"),
    Setting("alerts.silent_after", "0s", "alert where no span came for so long; 0s = never"),
    Setting("alerts.allow_link_local", False, "permit targets with link-local addresses"),
    Setting("watch.open_url", "", "where O opens a trace: https://jaeger.example/trace/{trace_id}"),
    Setting("watch.theme", "", "one of Textual's themes, such as textual-light"),
    Setting("telemetry.endpoint", "", "OTLP over HTTP: where spans and metrics of its own go"),
)
TARGETS = "alerts.targets"  # a table of targets by name
KEYS = "watch.keys"  # a table of keys by the action's id


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and its origin."""

    setting: Setting
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every setting, the alert targets, and other keys for the dashboard's actions."""

    values: Mapping[str, Value]
    targets: Mapping[str, Mapping[str, Any]]
    keys: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name].value

    def duration(self, name: str) -> int:
        """A duration in nanoseconds. Raises Stop."""
        from analyzer.reporters.units import parse_duration

        try:
            return parse_duration(str(self[name]))
        except ValueError as error:
            raise Stop(Exit.USAGE, f"{name} ({self.values[name].origin}): {error}") from None


def places() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The files that are looked at, nearest first, and the table of each that counts."""
    import platformdirs

    yield Path(FILE), ()
    yield Path("pyproject.toml"), ("tool", "choreoscope")
    yield Path(platformdirs.user_config_dir("choreoscope")) / FILE, ()


def configuration(
    flags: Mapping[str, Any] | None = None, file: Path | None = None
) -> Configuration:
    """The settings as they are now; `file` replaces the files that are looked for. Raises Stop."""
    layers = [("flag", {name: v for name, v in (flags or {}).items() if v is not None})]
    layers.append(("environment", _environment()))
    targets: Mapping[str, Mapping[str, Any]] = {}
    keys: Mapping[str, str] = {}
    found = [(file, ())] if file is not None else list(places())
    for path, table in found:
        if file is None and not path.is_file():
            continue
        settings, told, mapped = _read(path, table)
        layers.append((str(path), settings))
        targets = targets or told
        keys = keys or mapped
    return Configuration({s.name: _value(s, layers) for s in SETTINGS}, targets, keys)


def _value(setting: Setting, layers: list[tuple[str, dict[str, Any]]]) -> Value:
    for origin, layer in layers:
        if setting.name in layer:
            return Value(setting, _typed(setting, layer[setting.name], origin), origin)
    return Value(setting, setting.default, "default")


def _environment() -> dict[str, Any]:
    return {s.name: os.environ[s.variable] for s in SETTINGS if s.variable in os.environ}


def _read(
    path: Path, table: tuple[str, ...]
) -> tuple[dict[str, Any], Mapping[str, Mapping[str, Any]], Mapping[str, str]]:
    document = _document(path)
    for place, name in enumerate(table):
        document = document.get(name, {})
        if not _is_table(document):
            names = ".".join(table[: place + 1])
            raise Stop(Exit.USAGE, f"{path}: {names} must be a table, [{names}]")
    alerts = document.get("alerts")
    targets = alerts.pop("targets", {}) if isinstance(alerts, dict) else {}
    if not _is_table(targets) or not all(_is_table(one) for one in targets.values()):
        raise Stop(Exit.USAGE, f"{path}: {TARGETS} must be a table of tables")
    watch = document.get("watch")
    keys = watch.pop("keys", {}) if isinstance(watch, dict) else {}
    if not _is_table(keys) or not all(isinstance(one, str) for one in keys.values()):
        raise Stop(Exit.USAGE, f'{path}: {KEYS} must be a table of texts, such as pause = "p"')
    return dict(_flat(path, document)), targets, keys


def _document(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise Stop(Exit.USAGE, f"{path} is no plain file")
        with path.open("rb") as file:
            data = file.read(MOST + 1)
        if len(data) > MOST:
            raise Stop(Exit.USAGE, f"{path}: more than {MOST} bytes")
        return tomllib.loads(data.decode())
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Stop(Exit.USAGE, f"{path} is no TOML: {error}") from None
    except RecursionError:
        raise Stop(Exit.USAGE, f"{path} is no TOML: values too deep inside each other") from None


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _flat(path: Path, document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    known = [setting.name for setting in SETTINGS]
    sections = sorted({name.partition(".")[0] for name in known})
    for section, settings in document.items():
        if section not in sections:
            raise Stop(Exit.USAGE, f"{path}: unknown table {_near(section, sections)}")
        if not isinstance(settings, dict):
            raise Stop(Exit.USAGE, f"{path}: {section} must be a table, [{section}]")
        for name, value in settings.items():
            full = f"{section}.{name}"
            if full not in known:
                raise Stop(Exit.USAGE, f"{path}: unknown setting {_near(full, known)}")
            yield full, value


def _near(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"{word[:80]!r}; {hint}"


def _typed(setting: Setting, value: Any, origin: str) -> Any:
    wanted = type(setting.default)
    if wanted is tuple:
        items = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
        if isinstance(items, list | tuple) and all(isinstance(one, str) for one in items):
            return tuple(one for one in items if one)
    elif wanted is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false", "1", "0"):
            return str(value).lower() in ("true", "1")
    elif wanted is int and not isinstance(value, bool | float):
        with contextlib.suppress(TypeError, ValueError):
            number = int(value)
            if setting.least is None or number >= setting.least:
                return number
            said = f"must be at least {setting.least}, not {number}"
            raise Stop(Exit.USAGE, f"{setting.name} ({origin}) {said}")
    elif isinstance(value, str):
        return value
    words = {tuple: "a list of texts", bool: "true or false", int: "a whole number"}
    told = "its value is not shown" if setting.secret else f"not {str(value)[:60]!r}"
    kind = words.get(wanted, "a text")
    raise Stop(Exit.USAGE, f"{setting.name} ({origin}) must be {kind}, {told}")
