"""The built-in executor: the processors of the domain, as SQL in the warehouse."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from courtbook.backfill.executor import Context, Dates
from courtbook.calendar import Calendar
from courtbook.catalog import Catalog, Table
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.statement import render


def replace_dates(
    warehouse: Warehouse,
    table: Table,
    calendar: Calendar,
    dates: Dates,
    *,
    processed_at: datetime | None = None,
    domain: str = "nba",
) -> None:
    """Replace the rows of a table on some dates, in one transaction.

    Parameters
    ----------
    dates : sequence of date
        Game dates, none of which needs to be there already. An empty selection is refused.
    processed_at : datetime, optional
        What the rows say about when they were made, in UTC; by default now.
    """
    if not dates:
        raise ValueError(f"no dates to replace in {table.full_name}")
    values = calendar.table_values(table, dates, processed_at=processed_at or _now())
    warehouse.apply(
        [
            (render(domain, "delete_dates.sql", table=table), values),
            (render(domain, "insert.sql", table=table), values),
        ]
    )


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
        """Return nothing: a statement ends with the process that sent it."""
        return ()

    def execute(self, table: Table, dates: Dates, context: Context) -> Mapping[date, str]:
        """Replace the dates; all of them or none."""
        replace_dates(self.warehouse, table, self.calendar, dates, processed_at=self._stamp())
        return {}

    def _stamp(self) -> datetime:
        """Return now, or a moment after the youngest row where the clock has jumped back: ages must stay in order."""
        statement = render(self.catalog.domain, "newest.sql", tables=self.catalog.processed)
        values = self.calendar.values(self.calendar.dates())
        # Windows look back to the opening of the season, before the range.
        span = {"first_date": values["history_from"], "last_date": values["last_date"]}
        newest = self.warehouse.query(statement, span)["newest"].iloc[0]
        if pd.isna(newest):
            return _now()
        last: datetime = newest.tz_localize(None).to_pydatetime() if newest.tzinfo else newest.to_pydatetime()
        return max(_now(), last + timedelta(microseconds=1))
