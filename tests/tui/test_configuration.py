"""Settings: the nearest wins, errors name the file and the nearest word, secrets stay secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyzer.alerts.targets.base import TargetError, resolved
from analyzer.alerts.targets.registry import target
from tui.commands.config import command
from tui.configuration import SETTINGS, configuration
from tui.exits import Stop


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_nearest_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flag, environment, choreoscope.toml, pyproject.toml, the user's folder, default."""
    (folder / "home" / "choreoscope").mkdir(parents=True)
    user = folder / "home" / "choreoscope" / "choreoscope.toml"
    user.write_text("[serve]\nhttp = 1\ngrpc = 1\nzipkin = 1\napi = 1\nlimit = 1\n")
    project = "[tool.choreoscope.serve]\nhttp = 2\ngrpc = 2\nzipkin = 2\napi = 2\n"
    (folder / "pyproject.toml").write_text(project)
    (folder / "choreoscope.toml").write_text("[serve]\nhttp = 3\ngrpc = 3\nzipkin = 3\n")
    monkeypatch.setenv("CHOREOSCOPE_SERVE_HTTP", "4")
    monkeypatch.setenv("CHOREOSCOPE_SERVE_GRPC", "4")
    found = configuration({"serve.http": 5, "serve.grpc": None})
    names = ("http", "grpc", "zipkin", "api", "limit")
    assert [found[f"serve.{name}"] for name in names] == [5, 4, 3, 2, 1]
    assert found["serve.host"] == "127.0.0.1"
    origins = [found.values[f"serve.{name}"].origin for name in names]
    assert origins[:2] == ["flag", "environment"]
    assert origins[2].endswith("choreoscope.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[serv]\n", "unknown table 'serv'; did you mean serve?"),
        ("[serve]\nprot = 1\n", "unknown setting 'serve.prot'"),
        ("serve = 1\n", "serve must be a table"),
        ("[serve]\nhttp = 'x'\n", "must be a whole number, not 'x'"),
        ("[monitor]\nkeys = 7\n", "must be a list of texts"),
        ("[alerts]\nallow_link_local = 'maybe'\n", "must be true or false"),
        ("[alerts]\ntargets = 7\n", "must be a table of tables"),
        ("[watch]\nkeys = 7\n", "watch.keys must be a table of texts"),
        ("[watch.keys]\npause = 7\n", "watch.keys must be a table of texts"),
        ("[serve\n", "is no TOML"),
        ("a = " + "[" * 100_000, "values too deep inside each other"),
        ("alerts = 5\n", "alerts must be a table"),
        ("[serve]\ngrpc = inf\n", "must be a whole number, not 'inf'"),
        ("[serve]\ngrpc = 4317.9\n", "must be a whole number, not '4317.9'"),
        ("[serve]\nlimit = -1\n", "must be at least 1, not -1"),
        ("[monitor]\nspans = 0\n", "must be at least 1, not 0"),
        ("[serve]\ntoken = 7\n", "its value is not shown"),
    ],
)
def test_errors_say_what_would_be_right(folder: Path, text: str, said: str) -> None:
    """The file, the word, the nearest one; exit 2."""
    (folder / "choreoscope.toml").write_text(text)
    with pytest.raises(Stop) as caught:
        configuration()
    assert said in caught.value.message
    assert caught.value.code == 2


def test_show_tells_origins_and_no_secret(folder: Path) -> None:
    """`config show --origin` prints TOML that can be read again."""
    (folder / "choreoscope.toml").write_text(
        '[serve]\ntoken = "hush"\n[alerts.targets.chat]\ntype = "slack"\nurl = "http://hush"\n'
    )
    done = CliRunner().invoke(command, ["show", "--origin"], standalone_mode=False)
    assert "hush" not in done.output
    assert 'type = "slack"' in done.output
    assert "# choreoscope.toml" in done.output
    done = CliRunner().invoke(command, ["locate"], standalone_mode=False)
    assert "choreoscope.toml: found" in done.output


def test_the_document_names_every_port_and_target() -> None:
    """docs/live.md holds what the code holds."""
    from analyzer.alerts.targets.registry import KINDS

    text = (Path(__file__).resolve().parents[2] / "docs" / "live.md").read_text()
    for kind in KINDS:
        (line,) = [one for one in text.splitlines() if one.startswith(f"| `{kind.name}` |")]
        for setting in (*kind.required, *kind.optional):
            assert f"`{setting}`" in line
    for setting in SETTINGS:
        if setting.name in ("serve.grpc", "serve.http", "serve.zipkin", "serve.api"):
            assert f"| {setting.default} |" in text


def test_keys_of_the_dashboard(folder: Path) -> None:
    """A table of its own: names of actions are not settings."""
    (folder / "choreoscope.toml").write_text('[watch.keys]\npause = "p"\n"rows.down" = "n"\n')
    assert configuration().keys == {"pause": "p", "rows.down": "n"}
    done = CliRunner().invoke(command, ["show"])
    assert '[watch.keys]\n"pause" = "p"\n"rows.down" = "n"\n' in done.output


@pytest.mark.parametrize("text", ["tool = 1\n", "[[tool]]\n", "[tool]\nchoreoscope = 'x'\n"])
def test_a_project_file_whose_table_is_none(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    with pytest.raises(Stop, match=r"must be a table, \[tool"):
        configuration()


def test_only_plain_files_of_reasonable_size(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path, said in (("/dev/zero", "no plain file"), (folder / "pipe", "no plain file")):
        with pytest.raises(Stop, match=said):
            configuration(file=Path(path))
    (folder / "long.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(Stop, match="more than 1048576 bytes"):
        configuration(file=folder / "long.toml")


def test_a_secret_in_a_file_that_cannot_be_one(folder: Path) -> None:
    (folder / "binary").write_bytes(b"\xff\xfe")
    for text, said in (
        ("{file:binary}", "no UTF-8 text"),
        ("{file:~nosuchuser/x}", "cannot be read"),
        ("{file:/dev/zero}", "more than 65,536 bytes"),
    ):
        with pytest.raises(TargetError, match=said):
            resolved(text)


@pytest.mark.parametrize("timeout", ["abc", -1, 0, True, float("inf")])
def test_a_timeout_that_is_none(timeout: object) -> None:
    with pytest.raises(TargetError, match="timeout must be seconds above 0"):
        target("t", {"type": "exec", "argv": ["true"], "timeout": timeout})
