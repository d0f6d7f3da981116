"""Runs a plan: each date of a table is replaced as a whole, read back and counted before it counts as done."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from courtbook.calendar import Calendar
from courtbook.catalog import Table
from courtbook.coverage import DateState, read_coverage
from courtbook.plan import Plan
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.statement import render


@dataclass(frozen=True)
class Batch:
    """What became of one batch of dates."""

    table: str
    done: tuple[date, ...]
    failed: tuple[date, ...]
    rows: int
    seconds: float


@dataclass
class BackfillReport:
    """What a backfill did."""

    batches: list[Batch] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)

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
        return {"done": self.done, "failed": len(self.failed), "held_back": self.held_back}

    @property
    def succeeded(self) -> bool:
        """Whether everything that was planned was written and counted."""
        return not self.failed and not self.held_back


def replace_dates(
    warehouse: Warehouse, table: Table, calendar: Calendar, dates: Sequence[date], domain: str = "nba"
) -> None:
    """Replace the rows of a table on some dates, in one transaction.

    Parameters
    ----------
    dates : sequence of date
        Game dates, none of which needs to be there already. An empty selection is refused.
    """
    if not dates:
        raise ValueError(f"no dates to replace in {table.full_name}")
    values = calendar.table_values(table, dates, processed_at=datetime.now(UTC).replace(tzinfo=None))
    warehouse.apply(
        [
            (render(domain, "delete_dates.sql", table=table), values),
            (render(domain, "insert.sql", table=table), values),
        ]
    )


def run_batch(warehouse: Warehouse, table: Table, calendar: Calendar, dates: Sequence[date]) -> Batch:
    """Replace some dates of a table, then read them back and compare them with the expectation."""
    started = time.monotonic()
    replace_dates(warehouse, table, calendar, dates)
    # Just written: how new the inputs are says nothing, and a clock that is off must not make it a failure.
    read = read_coverage(warehouse, table, calendar, dates, inputs=False)
    complete = set(read.dates_in(DateState.COMPLETE, DateState.SOURCE_GAP))
    done = tuple(day for day in dates if day in complete)
    failed = tuple(day for day in dates if day not in complete)
    return Batch(table.name, done, failed, int(read.frame["actual_rows"].sum()), time.monotonic() - started)


def run_plan(
    plan: Plan,
    warehouse: Warehouse,
    calendar: Calendar,
    *,
    permit: Callable[[], None],
    batch_size: int,
    record: Callable[[Batch], None],
) -> BackfillReport:
    """Run a plan, level by level.

    A table with a failed date holds back every table that reads it.

    Parameters
    ----------
    permit : callable
        Raises unless the gate that this plan needs is open; asked before every write.
    record : callable
        Told of each batch as soon as its rows were read back and counted.
    """
    report = BackfillReport()
    bad: set[str] = set()
    for task in plan.tasks:
        table = task.table
        if bad & set(table.reads):
            bad.add(table.name)
            report.held_back.append(table.name)
            continue
        for dates in task.batches(calendar, batch_size):
            permit()
            batch = run_batch(warehouse, table, calendar, dates)
            report.batches.append(batch)
            record(batch)
            if batch.failed:
                bad.add(table.name)
    return report
