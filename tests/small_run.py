"""A small project for tests that drive the command: ten weeks of one season, the incident's state, its own folders."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PARAMS = """\
name: small
warehouse: {{path: {folder}/small.duckdb}}
source: {{kind: league, seed: 11, seasons: [2024], end: 2024-12-31, state: {state}}}
range: {{start: 2024-10-22, end: 2024-12-31}}
dry_run: false
operator: Test Operator
backfill: {{sample_dates: 2}}
{more}
"""


@dataclass(frozen=True)
class Small:
    """A folder with a params file; commands run from the repository's root."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, state: str = "incident", more: str = "") -> "Small":
        (folder / "small.yaml").write_text(PARAMS.format(folder=folder, state=state, more=more))
        return cls(folder)

    @property
    def params(self) -> str:
        return str(self.folder / "small.yaml")

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def latest(self) -> Path:
        return (self.runs / "LATEST").resolve()

    def courtbook(self, *arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "courtbook.cli", *arguments],
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.courtbook("run", self.params, "--runs-dir", str(self.runs), *arguments)

    def coverage(self) -> dict[str, dict[str, Any]]:
        done = self.courtbook("coverage", self.params, "--json")
        assert done.returncode == 0, done.stderr
        return {item["table"]: item for item in json.loads(done.stdout)}
