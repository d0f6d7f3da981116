"""A small project for tests that drive the command: ten weeks of one season, the incident's state, its own folders."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from courtbook import cli
from courtbook.evidence.ledger import Event, Ledger
from courtbook.params import Params
from courtbook.params_file import load_params

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
    def make(
        cls, folder: Path, *, state: str = "incident", more: str = "", warehouse: Path | None = None, **changed: str
    ) -> "Small":
        """Write the params file, with other words in it if need be; a warehouse is copied if there is one."""
        text = PARAMS.format(folder=folder, state=state, more=more)
        for old, new in changed.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "small.yaml").write_text(text)
        if warehouse:
            shutil.copyfile(warehouse, folder / "small.duckdb")
        return cls(folder)

    @property
    def params(self) -> str:
        return str(self.folder / "small.yaml")

    @property
    def warehouse(self) -> Path:
        return self.folder / "small.duckdb"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def latest(self) -> Path:
        return (self.runs / "LATEST").resolve()

    @property
    def only_run(self) -> Path:
        (file,) = self.runs.glob("2*Z-*/ledger.jsonl")
        return file.parent

    def read(self) -> Params:
        return load_params(Path(self.params))

    def edit(self, *statements: str) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

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

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Give a command without a process of its own, for tests of what it does: it need not import all anew."""
        out, err, signals = io.StringIO(), io.StringIO(), (signal.SIGINT, signal.SIGTERM)
        handlers = [signal.getsignal(number) for number in signals]
        with chdir(ROOT), patch.object(sys, "argv", ["courtbook", *arguments]), redirect_stdout(out):
            try:
                with redirect_stderr(err):
                    cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                for number, handler in zip(signals, handlers, strict=True):
                    signal.signal(number, handler)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.courtbook("run", self.params, "--runs-dir", str(self.runs), *arguments)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a run and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "courtbook.cli", "run", self.params, "--runs-dir", str(self.runs), *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, process: "subprocess.Popen[str]", wanted: Callable[[Event], bool], count: int = 1) -> Event:
        """Wait until the run that a process began has put an event on record, for the ``count``-th time."""
        ledger: Ledger | None = None
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            over = process.poll() is not None
            if ledger is None and any(self.runs.glob("2*Z-*/ledger.jsonl")):
                ledger = Ledger(self.only_run / "ledger.jsonl")
            found = [event for event in ledger.events() if wanted(event)] if ledger else []
            if len(found) >= count:
                return found[count - 1]
            assert not over, process.communicate()
            time.sleep(0.02)
        raise AssertionError("the event did not come")

    def coverage(self) -> dict[str, dict[str, Any]]:
        done = self.courtbook("coverage", self.params, "--json")
        assert done.returncode == 0, done.stderr
        return {item["table"]: item for item in json.loads(done.stdout)}
