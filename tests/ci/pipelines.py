"""The pipeline files as the pipelines see them: inputs filled in, steps run in a fake runner."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "ci" / "action.yml"
GITLAB = ROOT / "ci" / "gitlab.yml"


def action() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(ACTION)
    return found


def gitlab() -> tuple[dict[str, Any], dict[str, Any]]:
    """(spec, jobs)."""
    spec, jobs = YAML(typ="safe", pure=True).load_all(GITLAB)
    return spec, jobs


@dataclass(frozen=True)
class Ran:
    """What a step left behind."""

    code: int
    log: str
    summary: str
    outputs: dict[str, str]


class Runner:
    """A runner with one choreoscope: this checkout's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.command = self._script("choreoscope", f'exec "{sys.executable}" -m tui.cli "$@"')
        self.summary, self.output = folder / "summary", folder / "output"

    def _script(self, name: str, body: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def step(self, name: str, inputs: Mapping[str, str], **steps: str) -> Ran:
        """Run one step of the action with these inputs, the others by default."""
        given = {k: v.get("default", "") for k, v in action()["inputs"].items()} | dict(inputs)
        known = {f"inputs.{key}": value for key, value in given.items()}
        known |= {"steps.install.outputs.command": str(self.command)}
        known |= {key.replace("__", "."): value for key, value in steps.items()}
        (found,) = [one for one in action()["runs"]["steps"] if one.get("name") == name]
        environment = {
            key: re.sub(r"\$\{\{ (.+?) \}\}", lambda m: known[m[1]], value)
            for key, value in found["env"].items()
        }
        return self.shell(["bash", "--noprofile", "--norc", "-eo", "pipefail"], found["run"],
                          environment)  # fmt: skip

    def job(self, inputs: Mapping[str, str]) -> Ran:
        """Run the GitLab job with these inputs."""
        spec, jobs = gitlab()
        given = {k: v.get("default", "") for k, v in spec["spec"]["inputs"].items()} | dict(inputs)
        environment = {
            key: re.sub(r"\$\[\[ inputs\.(.+?) \]\]", lambda m: given[m[1]], str(value))
            for key, value in jobs["choreoscope"]["variables"].items()
        }
        (script,) = jobs["choreoscope"]["script"]
        return self.shell(["sh", "-e"], script, environment)

    def shell(self, shell: list[str], script: str, environment: Mapping[str, str]) -> Ran:
        self.summary.write_text("")
        self.output.write_text("")
        path = self.folder / "step.sh"
        path.write_text(script)
        done = subprocess.run(
            [*shell, str(path)],
            cwd=self.folder,
            env={
                **os.environ,
                **environment,
                "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_OUTPUT": str(self.output),
                "RUNNER_TEMP": str(self.folder),
            },
            capture_output=True,
            text=True,
        )
        lines = self.output.read_text().splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        return Ran(done.returncode, done.stdout + done.stderr, self.summary.read_text(), outputs)
