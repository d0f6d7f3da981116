"""A single repair: some dates of one table, through the same gate, plan and record as a whole run."""

from dataclasses import dataclass
from pathlib import Path

from courtbook.archive import open_run, seal_run
from courtbook.calendar import read_calendar
from courtbook.catalog import Layer, load_catalog
from courtbook.checks.result import Verdict
from courtbook.errors import NoGo, ParameterError
from courtbook.params import Params
from courtbook.params_file import project_root
from courtbook.plan import Task, choose_dates
from courtbook.status import Show
from courtbook.step import RUN_PARAMS, Step
from courtbook.warehouse.opening import open_warehouse


@dataclass(frozen=True)
class Repair:
    """How a repair ended."""

    folder: Path
    verdict: Verdict
    why: str
    tasks: tuple[Task, ...]

    @property
    def behind(self) -> str:
        """Dates of other tables that are older than what was written now, in words; empty if there are none."""
        return ", ".join(f"{task.leaves} dates of {task.table.name}" for task in self.tasks if task.leaves)


def repair(params: Params, table: str, dates: str, runs: Path, show: Show | None = None) -> Repair:
    """Write some dates of one table anew, whatever their state, in a run of its own.

    Raises
    ------
    ParameterError
        If the table or a date does not exist, or nothing is selected.
    """
    catalog = load_catalog()
    writable = [item.name for item in catalog.processed]
    if table not in writable:
        known = f"These can be written: {', '.join(writable)}."
        raise ParameterError("There is no such table.", where=f"--table {table}", next_action=known)
    if not dates.strip():
        raise ParameterError(
            "A repair without dates is refused.",
            where="--dates",
            next_action="Name them, such as --dates 2024-01-05,2024-01-08..2024-01-12.",
        )
    chosen = choose_dates(dates, read_calendar(open_warehouse(params), params).dates())
    layer = catalog.tables[table].layer
    name = f"{layer.value}_backfill"
    with open_run(params, runs, f"{params.name}-{table}", [name], repair=table) as (folder, ledger):
        plan, verdict, why = None, Verdict.INTERRUPTED, "interrupted"
        later: tuple[Task, ...] = ()
        step: Step | None = None
        try:
            step = Step.open(name, params_file=str(folder / RUN_PARAMS), run_dir=str(folder))
            step.stop_unless_go(step.check(catalog.gates[name]))
            plan = step.plan(layer, step.coverage(layer), only=chosen, table=table)
            if layer is Layer.PHASE3:
                later = step.work.after(plan).tasks
            step.backfill(plan, show)
            step.conclude()
        except NoGo:
            pass
        finally:
            if step is not None and (step.attempt / "result.json").exists():
                verdict, why = step.verdict()
            seal_run(folder, params, project_root(folder), ledger)
    tasks = (*(plan.tasks if plan else ()), *later)
    return Repair(folder, verdict, why, tasks if verdict is Verdict.GO else ())
