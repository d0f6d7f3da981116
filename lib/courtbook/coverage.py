"""What ought to be there against what is there, per table and date: the one truth about completeness."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import pandas as pd

from courtbook.calendar import Calendar
from courtbook.catalog import Layer, Table
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.statement import render


class DateState(Enum):
    """The state of one table on one date."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    MISSING = "missing"
    STALE = "stale"
    UNEXPECTED = "unexpected"
    SOURCE_GAP = "no source"
    EMPTY_BY_RULE = "empty by rule"


Rewritten = Mapping[str, Collection[date]]
RUNBOOK_RULE = "any row on the date counts as covered (the runbook's own metric)"


@dataclass(frozen=True)
class Coverage:
    """Coverage of one table over the range of a calendar.

    Attributes
    ----------
    frame : DataFrame
        One row a date: ``day``, ``expected_rows``, ``obtainable_rows`` (expected keys for which the raw layer has a
        source), ``actual_rows``, ``found_rows`` (expected keys that are there), ``unexpected_rows``,
        ``duplicate_rows``, ``oldest_row`` (when the oldest row was made), ``state``, and ``why``: the newer inputs of
        a stale date, or the rule that makes it empty.
    target : tuple of date
        The dates of the runbook's metric: Phase 3, every game date outside the bootstrap; Phase 4, those of them on
        which the table's own expectation has at least one row.
    """

    table: Table
    frame: pd.DataFrame
    target: tuple[date, ...]
    sql: str = ""
    job: str = ""

    def dates_in(self, *states: DateState) -> tuple[date, ...]:
        """Return the dates that are in one of these states."""
        return tuple(self.frame.loc[self.frame["state"].isin(states), "day"])

    @property
    def dates_with_data(self) -> int:
        """Number of dates of the range with at least one row, whatever it is."""
        return int((self.frame["actual_rows"] > 0).sum())

    @property
    def covered(self) -> tuple[date, ...]:
        """Target dates with at least one row."""
        held = set(self.frame.loc[self.frame["actual_rows"] > 0, "day"])
        return tuple(day for day in self.target if day in held)

    @property
    def missing(self) -> tuple[date, ...]:
        """Target dates without any row."""
        covered = set(self.covered)
        return tuple(day for day in self.target if day not in covered)

    @property
    def ratio(self) -> float | None:
        """Covered share of the target dates; None where nothing is expected."""
        return len(self.covered) / len(self.target) if self.target else None

    @property
    def expected_rows(self) -> int:
        """Rows that ought to be there."""
        return int(self.frame["expected_rows"].sum())

    @property
    def found_rows(self) -> int:
        """Expected rows that are there."""
        return int(self.frame["found_rows"].sum())

    def record(self) -> dict[str, Any]:
        """Return the figures as the command prints them."""
        return {
            "table": self.table.name,
            "dates_with_data": self.dates_with_data,
            "expected_dates": len(self.target),
            "covered_dates": len(self.covered),
            "coverage": self.ratio,
            "metric": RUNBOOK_RULE,
            "expectation": self.table.expected.words,
            "expected_rows": self.expected_rows,
            "found_rows": self.found_rows,
            "complete_dates": len(self.dates_in(DateState.COMPLETE)),
            "partial_dates": len(self.dates_in(DateState.PARTIAL)),
            "stale_dates": len(self.dates_in(DateState.STALE)),
            "unexpected_dates": len(self.dates_in(DateState.UNEXPECTED)),
            "dates_without_source": len(self.dates_in(DateState.SOURCE_GAP)),
            "missing": [day.isoformat() for day in self.missing],
            "dates": {
                state.value: [day.isoformat() for day in self.dates_in(state)]
                for state in DateState
                if state is not DateState.EMPTY_BY_RULE
            },
        }

    def states(self) -> dict[str, Any]:
        """Return what a record keeps: the figures, and the dates by state."""
        return {
            "covered": len(self.covered),
            "expected": len(self.target),
            "expected_rows": self.expected_rows,
            "found_rows": self.found_rows,
            "states": {s.value: [day.isoformat() for day in days] for s in DateState if (days := self.dates_in(s))},
        }


def tidy(read: Mapping[str, Coverage], calendar: Calendar) -> pd.DataFrame:
    """Return one row a table and date: ``table``, ``season``, and the columns of :attr:`Coverage.frame`."""
    seasons = {item.day: item.season for item in calendar.days}
    frames = [
        item.frame.assign(table=name, season=item.frame["day"].map(seasons).astype("Int64"))
        for name, item in read.items()
    ]
    together = pd.concat(frames, ignore_index=True)
    first = ["table", "season", "day", "state"]
    ordered = together[[*first, *(column for column in together if column not in first)]]
    return ordered.assign(state=[state.value for state in ordered["state"]])


def _state(row: Any, allow_extra: bool) -> DateState:
    if row.expected_rows == 0:
        return DateState.EMPTY_BY_RULE if allow_extra or row.actual_rows == 0 else DateState.UNEXPECTED
    if row.duplicate_rows == 0 and row.found_rows >= row.obtainable_rows:
        if isinstance(row.newer_inputs, str):
            return DateState.STALE
        return DateState.SOURCE_GAP if row.found_rows < row.expected_rows else DateState.COMPLETE
    return DateState.PARTIAL if row.found_rows else DateState.MISSING


def _why(row: Any, bootstrap: frozenset[date]) -> str:
    if row.state is DateState.STALE:
        return f"older than {row.newer_inputs}"
    if row.state is DateState.EMPTY_BY_RULE:
        return "bootstrap" if row.day in bootstrap else "too little history"
    return ""


def read_coverage(
    warehouse: Warehouse,
    table: Table,
    calendar: Calendar,
    dates: Iterable[date] | None = None,
    *,
    inputs: bool = True,
    rewritten: Rewritten | None = None,
    domain: str = "nba",
) -> Coverage:
    """Compare expected with actual rows of one table: one query.

    Parameters
    ----------
    dates : iterable of date, optional
        The dates to compare; by default the whole range of the calendar.
    inputs : bool
        Whether to compare with the age of the inputs too; without them no date is stale.
    rewritten : mapping, optional
        Dates of other tables, by name, that will be written anew: what looks back at them counts as stale already.
    """
    asked = sorted(dates) if dates is not None else list(calendar.dates())
    values = calendar.table_values(table, asked)
    news = [f"{name}/{day}" for name in table.reads for day in sorted((rewritten or {}).get(name, ()))]
    # Raw tables do not say when a row was loaded; what was corrected there is known only from outside.
    edges = [e for e in table.edges if inputs and e.window and (news or e.table.layer is not Layer.RAW)]
    statement = render(domain, "coverage.sql", table=table, inputs=edges, rewritten=bool(news))
    frame = warehouse.query(statement, {**values, "rewritten": news})
    job = str(frame.attrs.get("job", ""))
    frame["day"] = frame["day"].dt.date
    if dates is not None:
        frame = frame[frame["day"].isin(set(asked))].reset_index(drop=True)
    counts = [column for column in frame.columns if column.endswith("_rows")]
    frame[counts] = frame[counts].astype("int64")
    frame["state"] = pd.Series(
        [_state(row, table.expected.allow_extra) for row in frame.itertuples(index=False)],
        index=frame.index,
        dtype=object,
    )
    # Dates about which the rule says nothing: in Phase 3 the raw layer has no row of any game, in Phase 4 none is due.
    silent = DateState.SOURCE_GAP if table.layer is Layer.PHASE3 else DateState.EMPTY_BY_RULE
    spoken = set(frame["day"])
    rest = pd.DataFrame(
        [{"day": day, **dict.fromkeys(counts, 0), "state": silent} for day in asked if day not in spoken]
    )
    if len(rest):
        frame = pd.concat([frame, rest]).sort_values("day", ignore_index=True)
    bootstrap = calendar.bootstrap()
    frame["why"] = [_why(row, bootstrap) for row in frame.itertuples(index=False)]
    frame = frame.drop(columns="newer_inputs")
    if table.layer is Layer.PHASE4:
        target = set(frame.loc[frame["expected_rows"] > 0, "day"])
    else:
        target = set(calendar.dates(after_bootstrap=True)) & set(asked)
    return Coverage(table, frame, tuple(sorted(target)), statement.sql, job)


def read_all(warehouse: Warehouse, tables: Iterable[Table], calendar: Calendar) -> dict[str, Coverage]:
    """Read the coverage of several tables over the whole range, by table name."""
    with warehouse.session():
        return {table.name: read_coverage(warehouse, table, calendar) for table in tables}
