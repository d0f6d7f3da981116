"""The backfills of a step: planned, frozen, run and put on record."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from courtbook.backfill.choice import choose_executor, kind_of
from courtbook.backfill.executor import Context, Executor
from courtbook.backfill.locks import hold
from courtbook.backfill.runner import BackfillReport, Batch, Runner, Terms
from courtbook.backfill.sql import SqlExecutor
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Catalog, Layer, Severity, Table, load_catalog
from courtbook.checks.result import Status
from courtbook.checks.runner import refuse_unknown_names, run_checks
from courtbook.checks.scope import Scope
from courtbook.coverage import Coverage, Rewritten, read_all, read_coverage
from courtbook.errors import CourtbookError, Interrupted, Reason
from courtbook.evidence.bundle import run_lock, write_json
from courtbook.evidence.history import days_of, outcomes, read_history
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.series import next_free
from courtbook.gates import require_go
from courtbook.params import Params
from courtbook.plan import Plan, Selection, make_plan, read_plan
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.opening import open_warehouse

STOP_FILE = "stop"


def _asked_for(
    params: Params, runs: Path, warehouse: Warehouse, tell: Callable[[str], None]
) -> tuple[Selection, dict[str, float]]:
    """Return what the parameters select, and the seconds a date took in earlier runs; tell which cannot be read."""
    history = read_history(runs, warehouse.identity)
    for line in history.skipped:
        tell(line)
    rates = {name: rate for (name, kind), rate in history.seconds.items() if kind == kind_of(name, params)}
    return Selection(params.backfill.mode, failed=history.failed, changed=params.backfill.changed), rates


def _measured(plan: Plan, executor: Callable[[Table], Executor]) -> Plan:
    """Return a plan with the bytes that its statements would read, as far as they are ours."""
    sizes = {}
    for task in plan.tasks:
        chosen = executor(task.table)
        if (
            task.dates
            and isinstance(chosen, SqlExecutor)
            and (size := chosen.estimate(task.table, sorted(task.dates))) is not None
        ):
            sizes[task.table.name] = size
    return replace(plan, sizes=sizes)


def preview(params: Params, runs: Path, tell: Callable[[str], None]) -> tuple[tuple[Plan, ...], Calendar]:
    """Return the plans that a run would make now, of both layers, and the calendar; nothing is frozen.

    The second layer is planned as it will be when the first has run.

    Parameters
    ----------
    tell : callable
        Told of earlier runs whose history cannot be used.
    """
    catalog, warehouse = load_catalog(), open_warehouse(params)
    refuse_unknown_names(params, catalog)
    selection, rates = _asked_for(params, runs, warehouse, tell)
    plans: list[Plan] = []
    with warehouse.session():
        calendar = read_calendar(warehouse, params)
        read = read_all(warehouse, catalog.processed, calendar)

        def reread(table: Table, written: Rewritten) -> Coverage:
            return read_coverage(warehouse, table, calendar, rewritten=written)

        for layer in (Layer.PHASE3, Layer.PHASE4):
            plan = make_plan(catalog, layer, read, reread, selection, before=plans, rates=rates)
            plans.append(_measured(plan, lambda table: choose_executor(table, params, warehouse, calendar, catalog)))
    return tuple(plans), calendar


def hold_run(run: Path) -> AbstractContextManager[int]:
    """Hold the lock of a run: while somebody does, it is going."""
    return hold(run_lock(run), {"run": run.name}, f"The run {run.name}", Reason.RUN_HELD)


@dataclass(frozen=True)
class Work:
    """What a step needs to write: made by the step, once."""

    step: str
    params: Params
    run: Path
    attempt: Path
    ledger: Ledger
    warehouse: Warehouse
    calendar: Calendar
    catalog: Catalog
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def plan(
        self, layer: Layer, coverage: Mapping[str, Coverage], only: Collection[date] = (), table: str = ""
    ) -> Plan:
        """Plan what a layer lacks, and freeze the plan in this attempt's folder before anything runs.

        In a run that is resumed the plan that was frozen first counts: what of it is done is not done again.

        Parameters
        ----------
        only, table : collection of date, str
            A single repair: these dates of this table, whatever their state.
        """
        if not self.params.dry_run:
            coverage = {**coverage, **self._adopted(layer)}
        chosen = self.params.backfill
        # What cannot be used is told in the notebook's log.
        selection, rates = _asked_for(self.params, self.run.parent, self.warehouse, print)
        earlier = [
            data for data in self.ledger.data("plan") if (data["step"], data["layer"]) == (self.step, layer.value)
        ]
        resumes = ""
        if table:
            selection = Selection("all", only={table: only})
        elif earlier and self.ledger.last("run_started") is not None:
            resumes = earlier[0]["file"]
            done = days_of(outcomes(self.ledger.data("dates")), succeeded=True)
            selection = Selection(frozen=read_plan(self.run / resumes, self.catalog), done=done)
        plan = make_plan(self.catalog, layer, coverage, self._reread, selection, rates=rates)
        plan = _measured(plan, self._executor)
        plan.refuse_above(chosen.max_table_dates, chosen.max_hours, chosen.max_bytes)
        if selection.frozen is not None:
            self._found(selection.frozen, plan, selection.done)
        file = next_free(self.attempt, "plan.json")
        caps = {"table_dates": chosen.max_table_dates, "hours": chosen.max_hours, "bytes": chosen.max_bytes}
        write_json(file, {**plan.record(), "mode": selection.mode, "resumes": resumes, "cap": caps})
        self.put(
            "plan",
            layer=layer.value,
            file=file.relative_to(self.run).as_posix(),
            resumes=resumes,
            table_dates=plan.table_dates,
            tables=[[name, len(dates), kind_of(name, self.params)] for name, dates in plan.dates.items()],
            seconds={task.table.name: plan.seconds(task) for task in plan.tasks if task.dates},
        )
        return plan

    def _adopted(self, layer: Layer) -> dict[str, Coverage]:
        """Wait for jobs of this run that outlived the process that began them, and read again what they have filled."""
        with self._interruptible():
            return {
                table.name: read_coverage(self.warehouse, table, self.calendar)
                for table in self.catalog.layer(layer)
                if self._executor(table).adopt(table, self._context)
            }

    def after(self, plan: Plan) -> Plan:
        """Plan nothing of the next layer, to learn what a plan leaves older there."""
        read = read_all(self.warehouse, self.catalog.layer(Layer.PHASE4), self.calendar)
        return make_plan(self.catalog, Layer.PHASE4, read, self._reread, Selection(only={}), before=[plan])

    def _found(self, frozen: Plan, left: Plan, done: Mapping[str, Collection[date]]) -> None:
        """Put on record what is done though its process did not live to say so."""
        for name, dates in frozen.dates.items():
            found = sorted(dates - left.dates[name] - set(done.get(name, ())))
            if found:
                self._record(Batch(name, tuple(found), (), 0, 0.0, executor="found"))

    def _reread(self, table: Table, rewritten: Rewritten) -> Coverage:
        return read_coverage(self.warehouse, table, self.calendar, rewritten=rewritten)

    def backfill(self, plan: Plan, gate: str, show: Callable[[], None]) -> BackfillReport:
        """Run a plan; refused unless the gate was decided GO in this run.

        Parameters
        ----------
        show : callable
            Called whenever there is something new on record.
        """
        chosen = self.params.backfill

        def record(batch: Batch) -> None:
            self._record(batch)
            show()

        terms = Terms(
            permit=lambda: require_go(gate, self.ledger.last("gate", gate=gate, scope=self.params.judged())),
            record=record,
            validate=self._validate,
            parallel=chosen.parallel,
            retries=chosen.retries,
            retry_wait=chosen.retry_wait,
            holder={"run": self.run.name},
        )
        runner = Runner(self.warehouse, self.calendar, self._executor, self._context, terms)
        with self._interruptible():
            report = runner.run(plan)
        for failed in report.errors.values():  # what could be done is done and on record
            raise failed
        return report

    @property
    def _context(self) -> Context:
        return Context(self.attempt, self.put, self.ledger.data, self._check_stop)

    def _executor(self, table: Table) -> Executor:
        return choose_executor(table, self.params, self.warehouse, self.calendar, self.catalog)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt as error:
            self.put("interrupted", by="signal")
            raise Interrupted from error

    def put(self, kind: str, **data: object) -> None:
        """Put something about this attempt on record."""
        self.ledger.append(kind, step=self.step, attempt=self.attempt.name, **data)

    def _check_stop(self) -> None:
        """Raise if somebody put a stop file into the run's folder."""
        file = self.run / STOP_FILE
        if file.exists():
            file.unlink(missing_ok=True)
            self.put("interrupted", by="stop file")
            raise Interrupted

    def _record(self, batch: Batch) -> None:
        """Put a piece of work on record: an event in the ledger, and a line a date in ``dates.log``."""
        with self._turn:
            self.put(
                "dates",
                table=batch.table,
                executor=batch.executor,
                done=[day.isoformat() for day in batch.done],
                failed=[day.isoformat() for day in batch.failed],
                why={day.isoformat(): words for day, words in batch.why.items()},
                rows=batch.rows,
                seconds=round(batch.seconds, 3),
            )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            lines = [
                f"{now}  {batch.table:<30}  {day}  {f'failed  {batch.why[day]}' if day in batch.why else 'done'}\n"
                for day in (*batch.done, *batch.failed)
            ]
            try:
                with (self.attempt / "dates.log").open("a", encoding="utf-8") as log:
                    log.writelines(lines)
            except OSError as error:
                raise CourtbookError(
                    Reason.DISK_FULL,
                    f"The log cannot be written: {error.strerror}. The ledger has the dates.",
                    where=str(self.attempt / "dates.log"),
                    next_action="Make room on the disk, then go on with 'courtbook run --resume RUN'.",
                ) from error

    def _validate(self, table: Table) -> str:
        """Run the critical checks of a table's own rows; whether all dates are there is for the gate to say."""
        own = [
            check
            for check in self.catalog.checks
            if check.table == table.name and check.severity is Severity.CRITICAL and check.numerator and not check.scale
        ]
        scope = Scope(self.catalog, self.warehouse, self.calendar, self.params, declared=own)
        wrong = [r for r in run_checks(scope, own) if r.status in (Status.FAIL, Status.ERROR)]
        return "; ".join(f"{result.check.id} {result.status.value} {result.detail}".strip() for result in wrong)
