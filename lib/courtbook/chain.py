"""Runs the notebooks one after another, a process each, and believes only what they put on record."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from courtbook.backfill.process import born
from courtbook.calendar import read_calendar
from courtbook.catalog import Step, load_catalog
from courtbook.checks.result import Verdict
from courtbook.checks.runner import refuse_unknown_names
from courtbook.errors import CourtbookError, ExitCode, ParameterError, Reason
from courtbook.evidence.bundle import environment, new_attempt, new_run, seal, sha256, write_once
from courtbook.evidence.ledger import Ledger
from courtbook.gates import GOING_ON
from courtbook.params import STEP_NAMES, Params
from courtbook.params_file import load_params, project_root
from courtbook.step import ATTEMPT_VARIABLE, RUN_PARAMS
from courtbook.warehouse.opening import open_warehouse
from courtbook.work import STOP_FILE, hold_run

Tell = Callable[[str], None]
Watch = Callable[[Path], None]
STOP_SECONDS = 60  # for a kernel to finish what it is writing, and to end the jobs that it began


@dataclass(frozen=True)
class StepOutcome:
    """How one attempt at a step ended."""

    step: Step
    verdict: Verdict
    exit_code: ExitCode
    why: str
    seconds: float
    notebook: Path


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    folder: Path
    params: Params
    steps: tuple[StepOutcome, ...]

    @property
    def exit_code(self) -> ExitCode:
        """The exit status of the whole run: that of its last step."""
        return self.steps[-1].exit_code

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole run: that of its last step."""
        return self.steps[-1].verdict


def notebooks_folder(root: Path) -> Path:
    """Return the folder of the source notebooks."""
    folder = root / "notebooks"
    if not folder.is_dir():
        raise ParameterError(
            "There is no folder 'notebooks' here.", where=str(root), next_action="Start from the project's folder."
        )
    return folder


def check_project(params: Params, root: Path) -> tuple[Step, ...]:
    """Return the steps that the parameters ask for, once notebooks, names, warehouse and range have proved usable."""
    catalog, sources = load_catalog(), notebooks_folder(root)
    names = STEP_NAMES[STEP_NAMES.index(params.first_step) : STEP_NAMES.index(params.last_step) + 1]
    steps = tuple(catalog.step(name) for name in names)
    for step in steps:
        if not (sources / f"{step.notebook}.ipynb").is_file():
            raise ParameterError(
                "The notebook is missing.", where=f"notebooks/{step.notebook}.ipynb", next_action="Restore it from git."
            )
    refuse_unknown_names(params, catalog)
    read_calendar(open_warehouse(params), params)
    return steps


def run_chain(params: Params, root: Path, runs: Path, *, tell: Tell, watch: Watch | None = None) -> RunOutcome:
    """Run the steps from ``first_step`` to ``last_step`` and stop at the first that does not end in GO.

    Nothing is written before parameters, warehouse and range have proved usable.

    Parameters
    ----------
    watch : callable, optional
        Called again and again with the run's folder while a notebook runs.
    """
    steps = check_project(params, root)
    folder = new_run(runs.resolve(), params.name)
    with hold_run(folder):
        write_once(folder / RUN_PARAMS, params.to_yaml())
        ledger = Ledger(folder / "ledger.jsonl")
        ledger.append("run_started", params=params.digest(), steps=[s.name for s in steps], operator=params.operator)
        _point_latest(folder)
        return Chain(folder, params, root, ledger, tell, watch).run(steps)


def resume_chain(folder: Path, *, tell: Tell, watch: Watch | None = None) -> RunOutcome:
    """Go on with a run that was interrupted or ended in NO-GO: from its first step that has not ended in GO.

    Parameters are those of the run, and so is the plan of a backfill that had begun.

    Raises
    ------
    CourtbookError
        If the run is still going, or has nothing left to do.
    """
    params = load_params(folder / RUN_PARAMS)
    root = project_root(folder)
    steps = check_project(params, root)
    with hold_run(folder):
        ledger = Ledger(folder / "ledger.jsonl")
        begun = ledger.last("run_started")
        if begun is None or begun.get("repair"):
            raise ParameterError(
                "Only what 'courtbook run' began can be resumed.",
                where=str(folder),
                next_action="Open its notebooks again, or start a run.",
            )
        _wait_for_kernels(ledger, folder)
        last = {data["step"]: data["verdict"] for data in ledger.data("attempt_ended")}
        left = [number for number, step in enumerate(steps) if last.get(step.name) not in GOING_ON]
        if not left:
            raise ParameterError(
                "Every step of this run has ended in GO.", where=str(folder), next_action="Start a new run if need be."
            )
        ledger.append("run_resumed", step=steps[left[0]].name)
        _point_latest(folder)
        return Chain(folder, params, root, ledger, tell, watch).run(steps[left[0] :])


def _wait_for_kernels(ledger: Ledger, folder: Path) -> None:
    """Wait for notebooks that outlived the runbook: they notice within seconds that it is gone, and end."""
    opened = [event for event in ledger.events() if event["kind"] == "step_opened"]
    here = [(e["process"], e["data"]["born"]) for e in opened if e["host"] == socket.gethostname()]
    deadline = time.monotonic() + 15
    while alive := [process for process, birth in here if born(process) == birth]:
        if time.monotonic() > deadline:
            raise CourtbookError(
                Reason.RUN_HELD,
                f"A notebook of this run still works (process {alive[-1]}).",
                where=str(folder),
                next_action="Wait until it has ended, or end it; then resume again.",
            )
        time.sleep(0.2)


@dataclass(frozen=True)
class Chain:
    """Notebooks that are run one after another, for one run."""

    folder: Path
    params: Params
    root: Path
    ledger: Ledger
    tell: Tell
    watch: Watch | None = None

    def run(self, steps: Sequence[Step]) -> RunOutcome:
        """Run steps until one does not end in GO, and seal the run, however it ends."""
        outcomes: list[StepOutcome] = []
        pages: list[Future[None]] = []
        verdict = Verdict.INTERRUPTED
        with ThreadPoolExecutor(max_workers=1) as exporter:  # a page is made while the next step runs
            try:
                for step in steps:
                    outcome = self.run_step(step)
                    outcomes.append(outcome)
                    pages.append(exporter.submit(_export, outcome.notebook))
                    self.tell(
                        f"{step.notebook:<22} {outcome.verdict.value:<12} {outcome.seconds:6.1f} s  {outcome.why}"
                    )
                    if outcome.verdict.value not in GOING_ON:
                        break
                verdict = outcomes[-1].verdict
            finally:
                wait(pages)
                (self.folder / STOP_FILE).unlink(missing_ok=True)  # whoever put it there has what he wanted
                self.ledger.append("run_ended", verdict=verdict.value, steps=len(outcomes))
                used = {f"{step.notebook}.ipynb": sha256(self._source(step)) for step in steps}
                facts = {"verdict": verdict.value, "sources": used, "environment": environment(self.root)}
                seal(self.folder, facts)
        for page in pages:
            page.result()
        return RunOutcome(self.folder, self.params, tuple(outcomes))

    def _source(self, step: Step) -> Path:
        return notebooks_folder(self.root) / f"{step.notebook}.ipynb"

    def run_step(self, step: Step) -> StepOutcome:
        """Run one notebook in a process of its own and read from the record how it ended."""
        attempt = new_attempt(self.folder, step.notebook)
        target = attempt / f"{step.notebook}.ipynb"
        parameters = {"params_file": str(self.folder / RUN_PARAMS), "run_dir": str(self.folder)}
        started = time.monotonic()
        self.ledger.append("attempt_started", step=step.name, attempt=attempt.name)
        with (attempt / "log.txt").open("x", encoding="utf-8") as log:
            child = subprocess.Popen(  # noqa: S603
                [
                    sys.executable,
                    "-m",
                    "courtbook.execute",
                    str(self._source(step)),
                    str(target),
                    json.dumps(parameters),
                    str(self.root),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_child_environment(attempt),
            )
            try:
                while (status := child.poll()) is None:
                    time.sleep(0.1)
                    if self.watch:
                        self.watch(self.folder)
            except BaseException:
                _end(child, self.ledger, step, attempt)
                self.ledger.append(
                    "attempt_ended", step=step.name, attempt=attempt.name, verdict=Verdict.INTERRUPTED.value
                )
                raise
        verdict, exit_code, why = _read_outcome(attempt, self.ledger, step, status)
        self.ledger.append("attempt_ended", step=step.name, attempt=attempt.name, verdict=verdict.value, status=status)
        return StepOutcome(step, verdict, exit_code, why, time.monotonic() - started, target)


def _export(notebook: Path) -> None:
    if notebook.is_file():
        from courtbook.report.html import export_notebook

        write_once(notebook.with_suffix(".html"), export_notebook(notebook))


def _point_latest(folder: Path) -> None:
    temporary = folder.parent / f".LATEST.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name, target_is_directory=True)
    temporary.replace(folder.parent / "LATEST")


def _child_environment(attempt: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    # The kernel must be this environment's, not one that the user once installed for his account.
    return {
        **inherited,
        ATTEMPT_VARIABLE: str(attempt),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _end(child: "subprocess.Popen[bytes]", ledger: Ledger, step: Step, attempt: Path) -> None:
    """End a notebook: its kernel is asked first, so that it can put on record what is done, and end its own jobs."""
    opened = [event for event in ledger.events() if event["kind"] == "step_opened"]
    own = [e["process"] for e in opened if (e["data"]["step"], e["data"]["attempt"]) == (step.name, attempt.name)]
    if own:
        with suppress(ProcessLookupError):
            os.kill(own[-1], signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=STOP_SECONDS)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            os.killpg(child.pid, number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=10)


def _read_outcome(attempt: Path, ledger: Ledger, step: Step, status: int) -> tuple[Verdict, ExitCode, str]:
    """Tell how an attempt ended: GO only if result, ledger and process all say so."""
    concluded = ledger.last("step_concluded", step=step.name, attempt=attempt.name)
    result_file = attempt / "result.json"
    result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.is_file() else None
    if concluded is not None and result is not None and concluded["verdict"] == result["verdict"]:
        said = Verdict(result["verdict"])
        if said.value not in GOING_ON or status == 0:
            return said, ExitCode.GO if said is Verdict.GO else ExitCode.NO_GO, str(result["why"])
    text = (attempt / "log.txt").read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it left no message"]
    # What courtbook says of an error are three lines: where, what happened, what to do.
    message = " ".join(lines[-2:]) if lines[-1].startswith("-> ") else lines[-1]
    # 0 and 1 need a verdict on record; without one, something broke.
    told = {ExitCode.USAGE, ExitCode.ENGINE, ExitCode.INTERRUPTED, ExitCode.REFUSED}
    exit_code = ExitCode(status) if status in told else ExitCode.ENGINE
    return Verdict.INTERRUPTED, exit_code, f"the notebook ended without a verdict: {message}"
