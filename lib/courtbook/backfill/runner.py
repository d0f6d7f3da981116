"""Runs a plan: each date of a table is replaced as a whole, read back and counted before it counts as done."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from threading import Event
from typing import Any, TypeVar

import tenacity

from courtbook.backfill.executor import Context, Dates, Executor
from courtbook.backfill.locks import hold
from courtbook.calendar import Calendar
from courtbook.catalog import Table
from courtbook.coverage import DateState, read_coverage
from courtbook.errors import CourtbookError, ExitCode, Interrupted, Reason
from courtbook.plan import MISSING, PARTIAL, Plan, Task
from courtbook.warehouse.base import Warehouse

T = TypeVar("T")
LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Batch:
    """What became of one piece of work.

    Attributes
    ----------
    why : mapping
        What is wrong with each date that failed: what the rows lack, and what the executor said about it.
    ended : float
        When the rows had been counted, on the clock of :func:`time.monotonic`.
    """

    table: str
    done: tuple[date, ...]
    failed: tuple[date, ...]
    rows: int
    seconds: float
    executor: str = "sql"
    why: Mapping[date, str] = field(default_factory=dict)
    ended: float = 0.0


@dataclass
class BackfillReport:
    """What a backfill did.

    Attributes
    ----------
    held_back : list of str
        Tables that were not written because a table that they read was not sound.
    unsound : dict
        Tables whose own checks did not pass after they were written, with the words of the checks.
    errors : dict
        Tables that an engine failed on, with the error.
    """

    batches: list[Batch] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    unsound: dict[str, str] = field(default_factory=dict)
    errors: dict[str, CourtbookError] = field(default_factory=dict)

    @property
    def failed(self) -> list[tuple[str, date]]:
        """Dates that were written and did not hold what they ought to."""
        return [(batch.table, day) for batch in self.batches for day in batch.failed]

    @property
    def done(self) -> int:
        """Number of (table, date) pairs that are done."""
        return sum(len(batch.done) for batch in self.batches)

    def record(self) -> dict[str, object]:
        """Return the counts as ``result.json`` holds them."""
        return {
            "done": self.done,
            "failed": len(self.failed),
            "held_back": self.held_back,
            "unsound": self.unsound,
            "errors": {name: str(error) for name, error in self.errors.items()},
        }

    @property
    def succeeded(self) -> bool:
        """Whether everything that was planned was written, counted and checked."""
        return not (self.failed or self.held_back or self.unsound or self.errors)


@dataclass(frozen=True)
class Terms:
    """How a plan is run.

    Attributes
    ----------
    permit : callable
        Raises unless the gate that this plan needs is open; asked before every write.
    record : callable
        Told of each batch as soon as its rows were read back and counted; may be called from several threads.
    validate : callable
        Checks a table that was written; returns what is wrong with it in words, empty if nothing is.
    parallel : int
        Tables of one level that are written at the same time.
    retries, retry_wait : int, float
        How often a transient error is tried again, and the seconds before the first time.
    """

    permit: Callable[[], None]
    record: Callable[[Batch], None]
    validate: Callable[[Table], str] = lambda _: ""
    parallel: int = 1
    retries: int = 0
    retry_wait: float = 2.0
    holder: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Runner:
    """Runs plans against one warehouse, with an executor for each table."""

    warehouse: Warehouse
    calendar: Calendar
    executors: Callable[[Table], Executor]
    context: Context
    terms: Terms
    _stopped: Event = field(default_factory=Event)

    def run(self, plan: Plan) -> BackfillReport:
        """Run a plan, level by level; the tables of a level at the same time.

        A table with a failed date, or one that is not sound, holds back every table that reads it.

        Raises
        ------
        Interrupted
            If the run was asked to stop.
        CourtbookError
            If another run writes one of the tables, before anything is written, or if the gate is closed.
        """
        report = BackfillReport()
        bad: set[str] = set()
        self.context = replace(self.context, check_stop=self._check_stop(self.context.check_stop))
        tasks = [task for task in plan.tasks if task.dates]
        with ExitStack() as locks:
            held = {task.table.name: locks.enter_context(self._lock(task.table)) for task in tasks}
            for _, level in groupby(plan.tasks, key=lambda task: task.level):
                ready = []
                for task in level:
                    if bad & set(task.table.reads):
                        bad.add(task.table.name)
                        if task.dates:
                            report.held_back.append(task.table.name)
                            self.context.record("table_held_back", table=task.table.name)
                    elif task.dates:
                        ready.append(task)
                self._together(ready, held, report)
                bad |= {name for name, _ in report.failed} | set(report.unsound) | set(report.errors)
        return report

    def _check_stop(self, asked: Callable[[], None]) -> Callable[[], None]:
        def check() -> None:
            if self._stopped.is_set():
                raise Interrupted
            asked()

        return check

    def _lock(self, table: Table) -> AbstractContextManager[int]:
        path = self.warehouse.locks / f"{table.name}.lock"
        return hold(path, self.terms.holder, f"The table {table.name}", Reason.TABLE_HELD)

    @contextmanager
    def _or_stop(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._stopped.set()
            raise

    def _together(self, tasks: list[Task], held: Mapping[str, int], report: BackfillReport) -> None:
        """Write the tables of one level; whatever ends one of them for good ends the others at their next date."""
        with ThreadPoolExecutor(max_workers=self.terms.parallel, thread_name_prefix="table") as pool:
            work = [pool.submit(self._one, task, held[task.table.name], report) for task in tasks]
            with self._or_stop():
                try:
                    # With a limit: a signal that another thread takes does not wake one that waits for ever.
                    while wait(work, timeout=0.5).not_done:
                        self.context.check_stop()
                except (KeyboardInterrupt, Interrupted):
                    self.warehouse.cancel()
                    raise
        raised = [error for item in work if (error := item.exception())]
        # Who was told to stop because of another one's error says less than that error.
        for error in sorted(raised, key=lambda error: isinstance(error, Interrupted)):
            raise error

    def _one(self, task: Task, lock: int, report: BackfillReport) -> None:
        with self._or_stop():
            self._write(task, lock, report)

    def _write(self, task: Task, lock: int, report: BackfillReport) -> None:
        """Write the dates of one table, count them, and check the table."""
        table, executor = task.table, self.executors(task.table)
        context = replace(self.context, held=(lock,))
        context.check_stop()
        context.record("table_started", table=table.name, executor=executor.kind, dates=len(task.dates))
        try:
            for dates in executor.pieces(sorted(task.dates), self.calendar):
                self.terms.permit()
                context.check_stop()
                self._keep(self._piece(task, executor, dates, context, report), report)
            if words := self.terms.validate(table):
                report.unsound[table.name] = words
                context.record("table_unsound", table=table.name, words=words)
            context.record("table_ended", table=table.name)
        except CourtbookError as error:
            # Wrong gate, lock or a person's wish to stop end the plan; an engine that failed ends this table.
            if error.exit_code is not ExitCode.ENGINE:
                raise
            report.errors[table.name] = error
            context.record("table_failed", table=table.name, reason=error.reason.code, error=str(error))

    def _keep(self, batch: Batch, report: BackfillReport) -> None:
        report.batches.append(batch)
        self.terms.record(batch)

    def _piece(self, task: Task, executor: Executor, dates: Dates, context: Context, report: BackfillReport) -> Batch:
        """Do one piece of work and count its rows."""
        started, table = time.monotonic(), task.table
        if executor.kind != "sql":
            held = [day for day in dates if task.dates[day] not in (MISSING, PARTIAL)]
            before = self._patiently(table, lambda: self._ages(table, held)) if held else {}
            try:
                said = executor.execute(table, dates, context)
            except CourtbookError:  # what was done until then is done
                with suppress(CourtbookError):  # the first error says more than one in looking what it left
                    counted = self._counted(table, dates, executor.kind, started, None, before)
                    if counted.done:
                        self._keep(replace(counted, failed=(), why={}), report)
                raise
            return self._patiently(table, lambda: self._counted(table, dates, executor.kind, started, said, before))

        def replace_and_count() -> Batch:
            with self.warehouse.session(write=True):  # opened once for both
                return self._counted(table, dates, executor.kind, started, executor.execute(table, dates, context))

        return self._patiently(table, replace_and_count)

    def _ages(self, table: Table, dates: Dates) -> dict[date, Any]:
        frame = read_coverage(self.warehouse, table, self.calendar, dates, inputs=False).frame
        frame = frame[frame["oldest_row"].notna()]
        return dict(zip(frame["day"], frame["oldest_row"], strict=True))

    def _counted(  # noqa: PLR0917
        self,
        table: Table,
        dates: Dates,
        executor: str,
        started: float,
        said: Mapping[date, str] | None = None,
        before: Mapping[date, Any] | None = None,
    ) -> Batch:
        """Read dates back and compare them with the expectation: rows decide, whatever the executor said.

        Dates in ``before`` held rows already, the oldest of this age: all of them must be younger now.
        """
        # Just written: how new the inputs are says nothing, and a clock that is off must not make it a failure.
        read = read_coverage(self.warehouse, table, self.calendar, dates, inputs=False)
        ages = dict(zip(read.frame["day"], read.frame["oldest_row"], strict=True))
        same = {day for day, age in (before or {}).items() if not ages[day] > age}
        complete = set(read.dates_in(DateState.COMPLETE, DateState.SOURCE_GAP)) - same
        columns = ("day", "found_rows", "expected_rows", "duplicate_rows")
        why: dict[date, str] = {}
        for day, rows, of, twice in zip(*(read.frame[name] for name in columns), strict=True):
            if day not in complete:
                counted = f"{rows} of {of} rows" + (f", {twice} twice" if twice else "")
                counted += ", not all of them written anew" if day in same else ""
                why[day] = "; ".join(filter(None, (counted, (said or {}).get(day, ""))))
        return Batch(
            table=table.name,
            done=tuple(day for day in dates if day in complete),
            failed=tuple(day for day in dates if day not in complete),
            rows=int(read.frame["actual_rows"].sum()),
            seconds=time.monotonic() - started,
            executor=executor,
            why=why,
            ended=time.monotonic(),
        )

    def _patiently(self, table: Table, call: Callable[[], T]) -> T:
        """Call, and call again after a while where the error is of a kind that may pass."""

        def note(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self.context.record("retried", table=table.name, tries=state.attempt_number, error=str(error))

        def sleep(seconds: float) -> None:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                self.context.check_stop()
                time.sleep(min(0.2, left))

        growing = tenacity.wait_exponential(multiplier=self.terms.retry_wait, max=LONGEST_WAIT)

        def wait_as_asked(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(growing(state), getattr(error, "retry_after", 0.0))

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, CourtbookError) and e.reason.transient),
            stop=tenacity.stop_after_attempt(self.terms.retries + 1),
            wait=wait_as_asked,
            before_sleep=note,
            sleep=sleep,
            reraise=True,
        )(call)
