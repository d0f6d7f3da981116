"""The built-in executor: the processors of the domain, as SQL in the warehouse."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import sha256

import pandas as pd

from courtbook.backfill.executor import Context, Dates
from courtbook.calendar import Calendar
from courtbook.catalog import Catalog, Table
from courtbook.warehouse.base import Values, Warehouse
from courtbook.warehouse.statement import Statement, render


def replace_dates(
    warehouse: Warehouse,
    table: Table,
    calendar: Calendar,
    dates: Dates,
    *,
    processed_at: datetime | None = None,
    job: str = "",
    domain: str = "nba",
) -> None:
    """Replace the rows of a table on some dates, in one transaction.

    Parameters
    ----------
    dates : sequence of date
        Game dates, none of which needs to be there already. An empty selection is refused.
    processed_at : datetime, optional
        What the rows say about when they were made, in UTC; by default now.
    job : str
        Id to run under.
    """
    warehouse.apply(_replacement(table, calendar, dates, processed_at or _now(), domain), job=job)


def _replacement(
    table: Table, calendar: Calendar, dates: Dates, processed_at: datetime, domain: str
) -> list[tuple[Statement, Values]]:
    if not dates:
        raise ValueError(f"no dates to replace in {table.full_name}")
    values = calendar.table_values(table, dates, processed_at=processed_at)
    return [(render(domain, name, table=table), values) for name in ("delete_dates.sql", "insert.sql")]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class SqlExecutor:
    """Replaces many dates of a table at once.

    Parameters
    ----------
    size : int
        Dates that one transaction replaces at most; none spans two seasons.
    """

    warehouse: Warehouse
    calendar: Calendar
    catalog: Catalog
    size: int
    kind: str = "sql"

    def pieces(self, dates: Dates, calendar: Calendar) -> tuple[tuple[date, ...], ...]:
        """Cut dates into batches, none of which spans two seasons."""
        season = {item.day: item.season for item in calendar.days}
        batches: list[list[date]] = []
        for day in sorted(dates):
            if batches and len(batches[-1]) < self.size and season.get(batches[-1][0]) == season.get(day):
                batches[-1].append(day)
            else:
                batches.append([day])
        return tuple(tuple(batch) for batch in batches)

    def adopt(self, table: Table, context: Context) -> tuple[date, ...]:
        """Wait for jobs that an earlier process sent to the warehouse, or that were lost from sight."""
        ended = {data["job"] for data in context.history("sql_ended")}
        done: set[date] = set()
        for data in context.history("sql_started"):
            if data["table"] == table.name and data["job"] not in ended:
                succeeded = self.warehouse.finished(data["job"])
                context.record("sql_ended", table=table.name, job=data["job"], succeeded=succeeded)
                done |= {date.fromisoformat(day) for day in data["dates"] if succeeded}
        return tuple(sorted(done))

    def execute(self, table: Table, dates: Dates, context: Context) -> Mapping[date, str]:
        """Replace the dates; all of them or none."""
        if not set(dates) <= set(self.adopt(table, context)):
            job = self._job(table, dates, context)
            # On record before it is sent: whoever goes on after a crash finds it, and no second one is begun.
            context.record("sql_started", table=table.name, job=job, dates=[day.isoformat() for day in dates])
            replace_dates(self.warehouse, table, self.calendar, dates, processed_at=self._stamp(), job=job)
            context.record("sql_ended", table=table.name, job=job, succeeded=True)
        return {}

    def estimate(self, table: Table, dates: Dates) -> int | None:
        """Return the bytes that the warehouse would read to replace dates; None where it bills none."""
        pieces = self.pieces(dates, self.calendar)
        return self.warehouse.estimate(
            item for piece in pieces for item in _replacement(table, self.calendar, piece, _now(), self.catalog.domain)
        )

    @staticmethod
    def _job(table: Table, dates: Dates, context: Context) -> str:
        """Return the id of the next job for some dates: the run, the table, the dates, and which try it is."""
        days = [day.isoformat() for day in dates]
        tries = sum(data["table"] == table.name and data["dates"] == days for data in context.history("sql_started"))
        run = re.sub(r"[^A-Za-z0-9_-]", "-", context.folder.parent.parent.name)
        return f"courtbook-{run}-{table.name}-{sha256(','.join(days).encode()).hexdigest()[:16]}-{tries + 1}"

    def _stamp(self) -> datetime:
        """Return now, or a moment after the youngest row where the clock has jumped back: ages must stay in order."""
        return max(_now(), self._newest + timedelta(microseconds=1))

    @cached_property
    def _newest(self) -> datetime:
        """When the youngest row was made; whatever a table looks at is there before its first date is written."""
        statement = render(self.catalog.domain, "newest.sql", tables=self.catalog.processed)
        values = self.calendar.values(self.calendar.dates())
        # Windows look back to the opening of the season, before the range.
        span = {"first_date": values["history_from"], "last_date": values["last_date"]}
        newest = self.warehouse.query(statement, span)["newest"].iloc[0]
        if pd.isna(newest):
            return datetime.min
        found: datetime = newest.tz_localize(None).to_pydatetime() if newest.tzinfo else newest.to_pydatetime()
        return found
