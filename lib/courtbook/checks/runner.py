"""Runs declared checks; whatever happens, each ends in a result."""

import difflib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from courtbook.calendar import Calendar
from courtbook.catalog import Catalog, Check
from courtbook.checks.result import CheckResult, Status, judge
from courtbook.coverage import Coverage, DateState
from courtbook.errors import CourtbookError, ParameterError
from courtbook.params import Params, ThresholdParams
from courtbook.warehouse.base import Values, Warehouse
from courtbook.warehouse.statement import render, to_duckdb


@dataclass(frozen=True)
class Scope:
    """What checks look at: a warehouse, a range, and the coverage that was read from it."""

    catalog: Catalog
    warehouse: Warehouse
    calendar: Calendar
    coverage: Mapping[str, Coverage]
    thresholds: Mapping[str, ThresholdParams]


@dataclass(frozen=True)
class Measured:
    """What a measure found."""

    numerator: float | None
    denominator: float | None
    value: float | None
    sql: str = ""
    detail: str = ""


def _ratio(numerator: float, denominator: float, detail: str = "") -> Measured:
    return Measured(numerator, denominator, numerator / denominator if denominator else None, detail=detail)


def _values(scope: Scope, check: Check) -> Values:
    return {
        **scope.calendar.values(scope.calendar.dates()),
        **check.values,
        "bootstrap_days": scope.calendar.bootstrap_days,
    }


def _sql(scope: Scope, check: Check) -> Measured:
    table = scope.catalog.tables.get(check.table)
    statement = render(scope.catalog.domain, f"checks/{check.sql}.sql", table=table, **check.names)
    row = scope.warehouse.query(statement, _values(scope, check)).iloc[0]
    numerator, denominator = (None if pd.isna(row[name]) else float(row[name]) for name in ("numerator", "denominator"))
    if numerator is None or not denominator:
        value = None
    else:
        value = numerator if check.measure == "count" else numerator / denominator
    detail = row.get("detail")
    return Measured(numerator, denominator, value, sql=statement.sql, detail=detail if isinstance(detail, str) else "")


def _some(dates: tuple[date, ...]) -> str:
    shown = ", ".join(str(day) for day in dates[:6])
    return f"{shown} and {len(dates) - 6} more" if len(dates) > 6 else shown


def _coverage(scope: Scope, check: Check) -> Measured:
    read = scope.coverage[check.table]
    return _ratio(len(read.covered), len(read.target), f"missing: {_some(read.missing)}" if read.missing else "")


def _rows(scope: Scope, check: Check) -> Measured:
    read = scope.coverage[check.table]
    partial = read.dates_in(DateState.PARTIAL)
    return _ratio(read.found_rows, read.expected_rows, f"partial: {_some(partial)}" if partial else "")


def _unexpected(scope: Scope, check: Check) -> Measured:
    read = scope.coverage[check.table]
    dates = read.dates_in(DateState.UNEXPECTED)
    detail = f"rows where none belong: {_some(dates)}" if dates else ""
    return Measured(len(dates), len(read.frame), float(len(dates)) if len(read.frame) else None, detail=detail)


def _tables(scope: Scope, check: Check) -> Measured:
    there = scope.warehouse.columns()
    absent = [table.full_name for table in scope.catalog.tables.values() if table.full_name not in there]
    return _ratio(
        len(scope.catalog.tables) - len(absent),
        len(scope.catalog.tables),
        f"absent: {', '.join(absent)}" if absent else "",
    )


def _columns(scope: Scope, check: Check) -> Measured:
    there = scope.warehouse.columns()
    wanted = [(table.full_name, column) for table in scope.catalog.tables.values() for column in table.columns]
    absent = [f"{table}.{column}" for table, column in wanted if column not in there.get(table, ())]
    return _ratio(len(wanted) - len(absent), len(wanted), f"absent: {', '.join(absent[:8])}" if absent else "")


def _processors(scope: Scope, check: Check) -> Measured:
    ready = []
    for table in scope.catalog.processed:
        to_duckdb(render(scope.catalog.domain, "insert.sql", table=table).sql)
        ready.append(table.name)
    return _ratio(len(ready), len(scope.catalog.processed))


_MEASURES: Mapping[str, Callable[[Scope, Check], Measured]] = {
    "ratio": _sql,
    "count": _sql,
    "coverage": _coverage,
    "rows": _rows,
    "unexpected": _unexpected,
    "tables": _tables,
    "columns": _columns,
    "processors": _processors,
}


def refuse_unknown_checks(params: Params, catalog: Catalog) -> None:
    """Raise if a threshold is given for a check that does not exist: it would change nothing, silently."""
    known = [check.id for check in catalog.checks]
    for name in params.thresholds:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            raise ParameterError(
                "There is no check of this name" + (f"; did you mean '{near[0]}'?" if near else "."),
                where=f"thresholds.{name}",
                next_action="All checks stand in docs/checks.md.",
            )


def run_check(scope: Scope, check: Check) -> CheckResult:
    """Run one check. An engine that fails makes it ERROR, never a pass."""
    override = scope.thresholds.get(check.id)
    minimum = override.minimum if override and override.minimum is not None else check.minimum
    maximum = override.maximum if override and override.maximum is not None else check.maximum
    started = time.monotonic()
    try:
        found = _MEASURES[check.measure](scope, check)
        status = judge(check, found.value, minimum=minimum, maximum=maximum)
    except (CourtbookError, LookupError, ValueError, TypeError, AttributeError) as error:
        found = Measured(None, None, None, detail=f"{type(error).__name__}: {error}")
        status = Status.ERROR
    return CheckResult(
        check=check,
        status=status,
        numerator=found.numerator,
        denominator=found.denominator,
        value=found.value,
        minimum=minimum,
        maximum=maximum,
        overridden=override is not None,
        seconds=time.monotonic() - started,
        sql=found.sql,
        detail=found.detail,
    )


def run_checks(scope: Scope, checks: Iterable[Check]) -> tuple[CheckResult, ...]:
    """Run checks on one connection, in the order given."""
    with scope.warehouse.session():
        return tuple(run_check(scope, check) for check in checks)
