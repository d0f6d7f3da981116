"""Runs the notebooks one after another, a process each, and believes only what they put on record."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from courtbook.calendar import read_calendar
from courtbook.catalog import Step, load_catalog
from courtbook.checks.result import Verdict
from courtbook.checks.runner import refuse_unknown_names
from courtbook.errors import ExitCode, ParameterError
from courtbook.evidence.bundle import environment, new_attempt, new_run, seal, sha256, write_once
from courtbook.evidence.ledger import Ledger
from courtbook.gates import GOING_ON
from courtbook.params import STEP_NAMES, Params
from courtbook.step import ATTEMPT_VARIABLE, RUN_PARAMS
from courtbook.warehouse.opening import open_warehouse

Tell = Callable[[str], None]


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


def run_chain(params: Params, root: Path, runs: Path, *, tell: Tell) -> RunOutcome:
    """Run the steps from ``first_step`` to ``last_step`` and stop at the first that does not end in GO.

    Nothing is written before parameters, warehouse and range have proved usable.
    """
    catalog = load_catalog()
    sources = notebooks_folder(root)
    names = STEP_NAMES[STEP_NAMES.index(params.first_step) : STEP_NAMES.index(params.last_step) + 1]
    steps = [catalog.step(name) for name in names]
    for step in steps:
        if not (sources / f"{step.notebook}.ipynb").is_file():
            raise ParameterError(
                "The notebook is missing.", where=f"notebooks/{step.notebook}.ipynb", next_action="Restore it from git."
            )
    refuse_unknown_names(params, catalog)
    read_calendar(open_warehouse(params), params)

    folder = new_run(runs.resolve(), params.name)
    write_once(folder / RUN_PARAMS, params.to_yaml())
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.append("run_started", params=params.digest(), steps=list(names), operator=params.operator)
    outcomes: list[StepOutcome] = []
    pages: list[Future[None]] = []
    verdict = Verdict.INTERRUPTED
    with ThreadPoolExecutor(max_workers=1) as exporter:  # a page is made while the next step runs
        try:
            for step in steps:
                outcome = run_step(step, sources, folder, ledger, root)
                outcomes.append(outcome)
                pages.append(exporter.submit(_export, outcome.notebook))
                tell(f"{step.notebook:<22} {outcome.verdict.value:<12} {outcome.seconds:6.1f} s  {outcome.why}")
                if outcome.verdict.value not in GOING_ON:
                    break
            verdict = outcomes[-1].verdict
        finally:
            wait(pages)
            ledger.append("run_ended", verdict=verdict.value, steps=len(outcomes))
            used = {f"{step.notebook}.ipynb": sha256(sources / f"{step.notebook}.ipynb") for step in steps}
            seal(folder, {"verdict": verdict.value, "sources": used, "environment": environment(root)})
            _point_latest(runs, folder)
    for page in pages:
        page.result()
    return RunOutcome(folder, tuple(outcomes))


def _export(notebook: Path) -> None:
    if notebook.is_file():
        from courtbook.report.html import export_notebook

        write_once(notebook.with_suffix(".html"), export_notebook(notebook))


def _point_latest(runs: Path, folder: Path) -> None:
    temporary = runs / f".LATEST.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name, target_is_directory=True)
    temporary.replace(runs / "LATEST")


def run_step(step: Step, sources: Path, run: Path, ledger: Ledger, root: Path) -> StepOutcome:
    """Run one notebook in a process of its own and read from the record how it ended."""
    attempt = new_attempt(run, step.notebook)
    target = attempt / f"{step.notebook}.ipynb"
    parameters = {"params_file": str(run / RUN_PARAMS), "run_dir": str(run)}
    started = time.monotonic()
    ledger.append("attempt_started", step=step.name, attempt=attempt.name)
    with (attempt / "log.txt").open("x", encoding="utf-8") as log:
        child = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-m",
                "courtbook.execute",
                str(sources / f"{step.notebook}.ipynb"),
                str(target),
                json.dumps(parameters),
                str(root),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_child_environment(attempt),
        )
        try:
            status = child.wait()
        except BaseException:
            _end_group(child)
            ledger.append("attempt_ended", step=step.name, attempt=attempt.name, verdict=Verdict.INTERRUPTED.value)
            raise
    verdict, exit_code, why = _read_outcome(attempt, ledger, step, status)
    ledger.append("attempt_ended", step=step.name, attempt=attempt.name, verdict=verdict.value, status=status)
    return StepOutcome(step, verdict, exit_code, why, time.monotonic() - started, target)


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


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _read_outcome(attempt: Path, ledger: Ledger, step: Step, status: int) -> tuple[Verdict, ExitCode, str]:
    """Tell how an attempt ended: GO only if result, ledger and process all say so."""
    concluded = ledger.last("step_concluded", step=step.name, attempt=attempt.name)
    result_file = attempt / "result.json"
    result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.is_file() else None
    if concluded is not None and result is not None and concluded["verdict"] == result["verdict"]:
        said = Verdict(result["verdict"])
        if said.value not in GOING_ON or status == 0:
            return said, ExitCode.GO if said is Verdict.GO else ExitCode.NO_GO, str(result["why"])
    lines = (attempt / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    message = next((line.strip() for line in reversed(lines) if line.strip()), "it left no message")
    # 0 and 1 need a verdict on record; without one, something broke.
    told = {ExitCode.USAGE, ExitCode.ENGINE, ExitCode.INTERRUPTED, ExitCode.REFUSED}
    exit_code = ExitCode(status) if status in told else ExitCode.ENGINE
    return Verdict.INTERRUPTED, exit_code, f"the notebook ended without a verdict: {message}"
