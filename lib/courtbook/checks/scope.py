"""What checks look at: a warehouse, a range, and what was read from it, each thing once."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

import pandas as pd

from courtbook.calendar import Calendar
from courtbook.catalog import Catalog, Check, Table
from courtbook.coverage import Coverage, read_coverage
from courtbook.errors import CourtbookError, Reason
from courtbook.params import Params
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.statement import Statement, render

BASELINE_DAYS = 90
T = TypeVar("T")


@dataclass(frozen=True)
class Profile:
    """Numerators, denominators and filled columns of one table, by month, from one query."""

    frame: pd.DataFrame
    position: Mapping[str, int]
    job: str

    def parts(self, check: Check) -> pd.DataFrame:
        """Return ``month``, ``numerator`` and ``denominator`` of a check; no row where the table holds none."""
        number = self.position[check.id]
        names = {f"numerator_{number}": "numerator", f"denominator_{number}": "denominator"}
        return self.frame[["month", *names]].rename(columns=names)


def profiled(check: Check) -> bool:
    """Tell whether a check is answered by the profile of its table."""
    return bool(check.numerator) or check.measure == "columns filled"


class Scope:
    """What checks look at. Whatever several checks need is read once; if reading fails, each of them is told.

    Parameters
    ----------
    declared : iterable of Check
        The checks that will run, so that those of one table can share a query.
    recorded : mapping, optional
        Values of an earlier run by check id, the baseline of regressions. None: the 90 days before the range.
    """

    def __init__(
        self,
        catalog: Catalog,
        warehouse: Warehouse,
        calendar: Calendar,
        params: Params,
        *,
        declared: Iterable[Check],
        recorded: Mapping[str, float] | None = None,
    ) -> None:
        self.catalog = catalog
        self.warehouse = warehouse
        self.calendar = calendar
        self.params = params
        self.declared = tuple(declared)
        self.recorded = recorded
        self._held: dict[tuple[str, ...], Any] = {}

    def _once(self, key: tuple[str, ...], read: Callable[[], T]) -> T:
        if key not in self._held:
            try:
                self._held[key] = read()
            except CourtbookError as error:
                self._held[key] = error
        found = self._held[key]
        if isinstance(found, CourtbookError):
            raise found
        return found  # type: ignore[no-any-return]

    def coverage(self, name: str, *, inputs: bool = False) -> Coverage:
        """Return the coverage of a table over the range.

        Where an input of the table cannot be read, nothing can be said about what is stale, but about the rest.

        Parameters
        ----------
        inputs : bool
            Whether the inputs have to be read: without them no date is stale.
        """
        read = partial(read_coverage, self.warehouse, self.catalog.tables[name], self.calendar)
        try:
            return self._once(("coverage", name), read)
        except CourtbookError as error:
            if inputs or error.reason is not Reason.QUERY_FAILED:
                raise
        return self._once(("coverage", name, "alone"), partial(read, inputs=False))

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Return the columns that exist, with their types, by ``dataset.table``."""
        return self._once(("columns",), self.warehouse.columns)

    def lacking(self, text: str) -> list[str]:
        """Return what the catalog declares, a text names and the warehouse does not have: tables, columns of others."""
        found = []
        for table in self.catalog.tables.values():
            there = self.columns().get(table.full_name)
            absent = [f".{column}" for column in table.columns if column not in there] if there else [""]
            names = [table.full_name + column for column in absent]
            found += [name for name in names if re.search(rf"\b{name.rpartition('.')[2]}\b", text)]
        return found

    def counted_columns(self, table: Table) -> list[str]:
        """Return the columns of a table whose values are counted: all, without those that it may lack and does."""
        there = self.columns().get(table.full_name, {})
        return [column for column in table.fill if column in there or column not in table.otherwise]

    def profile(self, check: Check) -> Profile:
        """Return the profile that answers a check, shared with the other checks of its table."""
        shared = [item for item in self.declared if item.table == check.table and profiled(item)]
        days = self.calendar.dates()
        return self._answer("profile", check, shared, days[0], days[-1])

    def baseline(self, check: Check) -> Profile:
        """Return the profile of the days before the range that answers a check which a regression compares."""
        compared = {item.of for item in self.declared if item.table == check.table}
        shared = [item for item in self.catalog.checks if item.id in compared]
        first = self.params.range.start
        return self._answer("baseline", check, shared, first - timedelta(days=BASELINE_DAYS), first - timedelta(days=1))

    def _answer(self, kind: str, check: Check, shared: list[Check], first: date, last: date) -> Profile:
        """Read the profile of some checks of one table, among them this one.

        If that statement fails, each check is asked alone, so that a column that is gone costs only what needs it.
        """
        if check not in shared:
            return self._profile([check], first, last)
        try:
            return self._once((kind, check.table), lambda: self._profile(shared, first, last))
        except CourtbookError as error:
            if error.reason is not Reason.QUERY_FAILED or len(shared) == 1:
                raise
        return self._once((kind, check.table, check.id), lambda: self._profile([check], first, last))

    def _profile(self, checks: list[Check], first: date, last: date) -> Profile:
        frame = self.warehouse.query(self.statement(checks), {"first_date": first, "last_date": last})
        numbered = [check for check in checks if check.numerator]
        position = {check.id: number for number, check in enumerate(numbered)}
        return Profile(frame, position, str(frame.attrs.get("job", "")))

    def statement(self, checks: Iterable[Check]) -> Statement:
        """Return the statement that answers some checks of one table together."""
        asked = list(checks)
        table = self.catalog.tables[asked[0].table]
        columns = self.counted_columns(table) if any(check.measure == "columns filled" for check in asked) else []
        return render(self.catalog.domain, "profile.sql", table=table, checks=asked, columns=columns)
