"""Runs the notebooks one after another, a process each, and believes only what they put on record."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from courtbook.archive import Sealed, open_run, seal_run
from courtbook.attempt import Attempts, StepOutcome
from courtbook.backfill.process import born
from courtbook.calendar import read_calendar
from courtbook.catalog import Step, load_catalog
from courtbook.checks.result import Verdict
from courtbook.checks.runner import refuse_unknown_names
from courtbook.errors import CourtbookError, ExitCode, ParameterError, Reason
from courtbook.evidence.bundle import write_once
from courtbook.evidence.ledger import Ledger, ledger_files, manifest_files
from courtbook.gates import GOING_ON
from courtbook.params import STEP_NAMES, Params
from courtbook.params_file import load_params, project_root
from courtbook.step import RUN_PARAMS
from courtbook.warehouse.opening import open_warehouse
from courtbook.work import STOP_FILE, hold_run

Tell = Callable[[str], None]
Watch = Callable[[Path], None]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    folder: Path
    params: Params
    steps: tuple[StepOutcome, ...]
    sealed: Sealed

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole run."""
        return Verdict(self.sealed.manifest.evidence["verdict"])

    @property
    def exit_code(self) -> ExitCode:
        """The exit status of the whole run: that of its last step, if one was run."""
        if self.steps:
            return self.steps[-1].exit_code
        return ExitCode.GO if self.verdict is Verdict.GO else ExitCode.NO_GO


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
    with open_run(params, runs, params.name, [step.name for step in steps]) as (folder, ledger):
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
    with hold_run(folder):
        steps = check_project(params, root)
        ledger = Ledger(folder / "ledger.jsonl")
        begun = ledger.last("run_started")
        if begun is None or begun.get("repair"):
            raise ParameterError(
                "Only what 'courtbook run' began can be resumed.",
                where=str(folder),
                next_action="Open its notebooks again, or start a run.",
            )
        _wait_for_notebooks(ledger, folder)
        close_open_attempts(folder, ledger, root)
        last = {data["step"]: data["verdict"] for data in ledger.data("attempt_ended")}
        left = [number for number, step in enumerate(steps) if last.get(step.name) not in GOING_ON]
        if not left and not _is_sealed(folder):  # it was killed when all was done but this
            return RunOutcome(folder, params, (), seal_run(folder, params, root, ledger))
        if not left:
            raise ParameterError(
                "Every step of this run has ended in GO.", where=str(folder), next_action="Start a new run if need be."
            )
        ledger.append("run_resumed", step=steps[left[0]].name)
        _point_latest(folder)
        return Chain(folder, params, root, ledger, tell, watch).run(steps[left[0] :])


def close_run(folder: Path) -> None:
    """Seal a run that was killed and will not be resumed.

    Raises
    ------
    CourtbookError
        If the run is still going, or has an end already.
    """
    params, root = load_params(folder / RUN_PARAMS), project_root(folder)
    with hold_run(folder):
        ledger = Ledger(folder / "ledger.jsonl")
        if ledger.last("run_started") is None or _is_sealed(folder):
            raise ParameterError(
                "This run has ended and is sealed, or was never started by 'courtbook run'.",
                where=str(folder),
                next_action="'courtbook verify' looks at a sealed run.",
            )
        _wait_for_notebooks(ledger, folder)
        close_open_attempts(folder, ledger, root)
        seal_run(folder, params, root, ledger)


def _is_sealed(folder: Path) -> bool:
    return len(manifest_files(folder)) == len(ledger_files(folder))


def close_open_attempts(folder: Path, ledger: Ledger, root: Path) -> None:
    """Put the end of attempts on record whose runbook did not live to do so; their notebooks then tell the truth.

    Pages of notebooks that it did not come to make are made too.
    """
    ends = {(data["step"], data["attempt"]): data for data in ledger.data("attempt_ended")}
    for data in ledger.data("attempt_started"):
        step = load_catalog().step(data["step"])
        attempt = folder / step.notebook / data["attempt"]
        if end := ends.get((data["step"], data["attempt"])):
            verdict, why = Verdict(end["verdict"]), end["why"]
        else:
            source = notebooks_folder(root) / data["notebook"]
            verdict, _, why = Attempts(folder, step, source, ledger).close(attempt)
        notebook = attempt / data["notebook"]
        if not notebook.with_suffix(".html").exists():
            _export(notebook, verdict, why)


def _wait_for_notebooks(ledger: Ledger, folder: Path) -> None:
    """Wait for notebooks that outlived the runbook: they notice within seconds that it is gone, and end."""
    events = [event for event in ledger.events() if event["host"] == socket.gethostname()]
    if events and events[-1]["kind"] == "attempt_started":
        time.sleep(1.5)  # killed before it could say which process it had begun
    here = [(e["process"], e["data"]["born"]) for e in events if e["kind"] == "step_opened"]
    here += [(e["data"]["process"], e["data"]["born"]) for e in events if e["kind"] == "notebook_started"]
    deadline = time.monotonic() + 15
    while alive := [process for process, birth in here if birth and born(process) == birth]:
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
        with ThreadPoolExecutor(max_workers=1) as exporter:  # a page is made while the next step runs
            try:
                for step in steps:
                    outcome = self.run_step(step)
                    outcomes.append(outcome)
                    pages.append(exporter.submit(_export, outcome.notebook, outcome.verdict, outcome.why))
                    self.tell(
                        f"{step.notebook:<22} {outcome.verdict.value:<12} {outcome.seconds:6.1f} s  {outcome.why}"
                    )
                    if outcome.verdict.value not in GOING_ON:
                        break
            finally:
                wait(pages)
                (self.folder / STOP_FILE).unlink(missing_ok=True)  # whoever put it there has what he wanted
                sealed = seal_run(self.folder, self.params, self.root, self.ledger)
        for page in pages:
            page.result()
        return RunOutcome(self.folder, self.params, tuple(outcomes), sealed)

    def run_step(self, step: Step) -> StepOutcome:
        """Run one notebook in a process of its own and read from the record how it ended."""

        def tick() -> None:
            if self.watch:
                self.watch(self.folder)

        attempts = Attempts(self.folder, step, notebooks_folder(self.root) / f"{step.notebook}.ipynb", self.ledger)
        return attempts.begin(self.root, self.params.watchdog, tick)


def _export(notebook: Path, verdict: Verdict, why: str) -> None:
    from courtbook.report.html import export_notebook

    write_once(notebook.with_suffix(".html"), export_notebook(notebook, verdict.value, why))


def _point_latest(folder: Path) -> None:
    temporary = folder.parent / f".LATEST.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name, target_is_directory=True)
    temporary.replace(folder.parent / "LATEST")
