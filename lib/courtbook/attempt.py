"""Attempts at a step: the notebook in a process of its own, watched from outside, believed only by its record."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from courtbook.backfill.process import born
from courtbook.catalog import Step
from courtbook.checks.result import Verdict
from courtbook.errors import ExitCode
from courtbook.evidence.bundle import new_attempt, sha256
from courtbook.evidence.cells import CellState, cells_digest
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.truth import tell_truth
from courtbook.gates import GOING_ON
from courtbook.params import WatchdogParams
from courtbook.step import ATTEMPT_VARIABLE, RUN_PARAMS

STOP_SECONDS = 60  # for a kernel to finish what it is writing, and to end the jobs that it began
OUT_OF_MEMORY_SECONDS = 5  # the same, where waiting makes it worse
IDLE_SECONDS = 10  # the same, where nothing is written: a kernel that is asked between two cells may never answer


@dataclass(frozen=True)
class StepOutcome:
    """How one attempt at a step ended."""

    step: Step
    verdict: Verdict
    exit_code: ExitCode
    why: str
    seconds: float
    notebook: Path


@dataclass
class Watchdog:
    """Ends a notebook that takes too long or too much memory; asked again and again while its process runs."""

    limits: WatchdogParams
    process: psutil.Process
    _began: float = field(default_factory=time.monotonic)
    _next: float = 0.0

    def bites(self) -> tuple[str, float]:
        """Return why the process has to be ended and the seconds to leave it; empty words while all is well."""
        now = time.monotonic()
        if now - self._began > self.limits.seconds:
            return f"the watchdog ended it: it took longer than {self.limits.seconds:g} s", STOP_SECONDS
        if now >= self._next:
            self._next = now + 1.0
            held = sum(_memory(item) for item in (self.process, *_children(self.process)))
            most = self.limits.memory / 100 * psutil.virtual_memory().total
            if held > most:
                told = f"its processes held {held / 2**20:,.0f} MiB, more than {most / 2**20:,.0f} MiB"
                return f"the watchdog ended it: {told}", OUT_OF_MEMORY_SECONDS
        return "", 0.0


def _children(process: psutil.Process, *, recursive: bool = True) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=recursive)
    return []


def _memory(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


@dataclass(frozen=True)
class Attempts:
    """Attempts at one step of a run.

    Attributes
    ----------
    source : Path
        The source notebook.
    """

    run: Path
    step: Step
    source: Path
    ledger: Ledger

    def begin(self, root: Path, limits: WatchdogParams, tick: Callable[[], None]) -> StepOutcome:
        """Run the notebook in a process of its own and read from the record how it ended.

        Parameters
        ----------
        root : Path
            The project's folder, in which the notebook runs.
        tick : callable
            Called again and again while the notebook runs.
        """
        attempt = new_attempt(self.run, self.step.notebook)
        target = attempt / self.source.name
        parameters = {"params_file": str(self.run / RUN_PARAMS), "run_dir": str(self.run)}
        started, why = time.monotonic(), ""
        told = {"sha256": sha256(self.source), "cells": cells_digest(self.source)}
        self._put("attempt_started", attempt, notebook=self.source.name, source=told)
        command = ["-m", "courtbook.execute", str(self.source), str(target), json.dumps(parameters), str(root)]
        with (attempt / "log.txt").open("x", encoding="utf-8") as log:
            child = subprocess.Popen(  # noqa: S603
                [sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_child_environment(attempt),
            )
            self._put("notebook_started", attempt, process=child.pid, born=born(child.pid))
            try:
                watchdog = Watchdog(limits, psutil.Process(child.pid))
                while child.poll() is None:
                    time.sleep(0.1)
                    tick()
                    why, patience = watchdog.bites()
                    if why:
                        self._put("watchdog", attempt, why=why)
                        self._end(child, attempt, patience)
            except BaseException:
                self._end(child, attempt, STOP_SECONDS)
                self.close(attempt, why="the runbook was interrupted")
                raise
        verdict, exit_code, said = self.close(attempt, child.returncode, why)
        return StepOutcome(self.step, verdict, exit_code, said, time.monotonic() - started, target)

    def close(self, attempt: Path, status: int | None = None, why: str = "") -> tuple[Verdict, ExitCode, str]:
        """Put the end of an attempt on record, and make its saved notebook tell the truth about it.

        Parameters
        ----------
        status : int or None
            Exit status of the notebook's process; None where nobody was there to see it.
        why : str
            Why the attempt was ended from outside; it is then INTERRUPTED whatever it says itself.
        """
        verdict, exit_code, said = _read_outcome(attempt, self.ledger, self.step, status)
        if why:
            verdict, exit_code, said = Verdict.INTERRUPTED, ExitCode.ENGINE, why
        notebook = attempt / self.source.name
        cells = tell_truth(notebook, self.source, verdict.value, said)
        left = ", ".join(cell.id for cell in cells if cell.state is not CellState.DONE)
        if verdict.value in GOING_ON and (left or not cells):
            verdict, exit_code, said = Verdict.INTERRUPTED, ExitCode.ENGINE, f"cells that did not run: {left or 'all'}"
            cells = tell_truth(notebook, self.source, verdict.value, said)
        told = [[cell.id, cell.state.value, cell.count, cell.outputs] for cell in cells]
        kept = {"sha256": sha256(notebook), "cells": told}
        self._put("attempt_ended", attempt, verdict=verdict.value, why=said, status=status, **kept)
        return verdict, exit_code, said

    def _put(self, kind: str, attempt: Path, **data: object) -> None:
        self.ledger.append(kind, step=self.step.name, attempt=attempt.name, **data)

    def _end(self, child: "subprocess.Popen[bytes]", attempt: Path, patience: float) -> None:
        """End a notebook: its kernel is asked first, so that it can record what is done, and end its own jobs."""
        kernels = _children(psutil.Process(child.pid), recursive=False) if child.poll() is None else []
        known = {"step": self.step.name, "attempt": attempt.name}
        own = [event for event in self.ledger.events() if known.items() <= event["data"].items()]
        opened = [event["process"] for event in own if event["kind"] == "step_opened"]
        if opened:
            with suppress(ProcessLookupError):
                os.kill(opened[-1], signal.SIGINT)
            writes = any(event["kind"] == "plan" for event in own)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=patience if writes else min(patience, IDLE_SECONDS))
        for number in (signal.SIGTERM, signal.SIGKILL):
            if child.poll() is None:
                os.killpg(child.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=10)
        for kernel in kernels:  # one that hangs does not notice that it is alone
            with suppress(psutil.NoSuchProcess):
                kernel.kill()


def _child_environment(attempt: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    # The kernel must be this environment's, not one that the user once installed for his account.
    return {
        **inherited,
        ATTEMPT_VARIABLE: str(attempt),
        "COURTBOOK_PARENT": str(os.getpid()),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _read_outcome(attempt: Path, ledger: Ledger, step: Step, status: int | None) -> tuple[Verdict, ExitCode, str]:
    """Tell how an attempt ended: GO only if result, ledger and process all say so."""
    concluded = ledger.last("step_concluded", step=step.name, attempt=attempt.name)
    result_file = attempt / "result.json"
    result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.is_file() else None
    if concluded is not None and result is not None and concluded["verdict"] == result["verdict"]:
        said = Verdict(result["verdict"])
        if said.value not in GOING_ON or status == 0:
            return said, ExitCode.GO if said is Verdict.GO else ExitCode.NO_GO, str(result["why"])
    if status is None:
        return Verdict.INTERRUPTED, ExitCode.INTERRUPTED, "the runbook ended before the notebook did"
    # 0 and 1 need a verdict on record; without one, something broke.
    told = {ExitCode.USAGE, ExitCode.ENGINE, ExitCode.INTERRUPTED, ExitCode.REFUSED}
    exit_code = ExitCode(status) if status in told else ExitCode.ENGINE
    return Verdict.INTERRUPTED, exit_code, f"the notebook ended without a verdict: {_last_words(attempt, status)}"


def _last_words(attempt: Path, status: int) -> str:
    """Return what a notebook's process said last, or how it died."""
    text = (attempt / "log.txt").read_text(encoding="utf-8", errors="replace")
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return f"its process was ended by {signal.Signals(-status).name}" if status < 0 else "it left no message"
    # What courtbook says of an error are three lines: where, what happened, what to do.
    return " ".join(lines[-2:]) if lines[-1].startswith("-> ") else lines[-1]
