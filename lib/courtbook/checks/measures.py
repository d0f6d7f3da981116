"""What checks count: by SQL of their own, in the profile of a table, in its coverage, or in the schema."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pandas as pd

from courtbook.catalog import Check, Table
from courtbook.checks.scope import BASELINE_DAYS, Scope
from courtbook.coverage import Coverage, DateState
from courtbook.readiness import lacking
from courtbook.warehouse.stand_ins import standing_in
from courtbook.warehouse.statement import render, to_duckdb


@dataclass(frozen=True)
class Measured:
    """What a measure found. A value of None means that there was nothing to measure."""

    numerator: float | None
    denominator: float | None
    value: float | None
    detail: str = ""
    dates: tuple[date, ...] = ()
    sql: str = ""
    job: str = ""


def _listed(*named: tuple[str, list[str]]) -> str:
    return "; ".join(f"{words}: {', '.join(names)}" for words, names in named if names)


def _ratio(numerator: float, denominator: float, detail: str = "", dates: tuple[date, ...] = ()) -> Measured:
    return Measured(numerator, denominator, numerator / denominator if denominator else None, detail, dates)


def _count(numerator: float, denominator: float, detail: str = "", dates: tuple[date, ...] = ()) -> Measured:
    return Measured(numerator, denominator, float(numerator) if denominator else None, detail, dates)


def _counted(scope: Scope, check: Check) -> Measured:
    """Count by an expression in the table's profile, or by the check's own statement."""
    if check.numerator:
        read = scope.profile(check)
        parts = read.parts(check)
        row = parts[["numerator", "denominator"]].sum(min_count=1)
        sql, job, detail = scope.statement([check]).sql, read.job, ""
    else:
        names = {"table": scope.catalog.tables.get(check.table), "catalog": scope.catalog}
        statement = render(scope.catalog.domain, f"checks/{check.sql}.sql", **names)
        span = {"range_start": scope.params.range.start, "range_end": scope.params.range.end}
        frame = scope.warehouse.query(statement, {**scope.calendar.values(scope.calendar.dates()), **span})
        row, sql, job = frame.iloc[0], statement.sql, str(frame.attrs.get("job", ""))
        detail = str(row["detail"]) if isinstance(row.get("detail"), str) else ""
    numerator, denominator = (None if pd.isna(row[name]) else float(row[name]) for name in ("numerator", "denominator"))
    if numerator is not None and math.isinf(numerator):
        raise ValueError("the sum is infinite: some row holds an infinite number")
    if numerator is None or not denominator:
        value = None
    else:
        value = numerator if check.measure == "count" else numerator / denominator
    return Measured(numerator, denominator, value, detail, sql=sql, job=job)


def _worst_month(scope: Scope, check: Check) -> Measured:
    read = scope.profile(check)
    parts = read.parts(check)
    parts = parts[parts["denominator"] > 0]
    found = Measured(None, None, None)
    if len(parts):
        row = parts.iloc[int((parts["numerator"] / parts["denominator"]).argmin())]
        found = _ratio(float(row["numerator"]), float(row["denominator"]), f"worst in {row['month']:%Y-%m}")
    return replace(found, sql=scope.statement([check]).sql, job=read.job)


def _columns_filled(scope: Scope, check: Check) -> Measured:
    read = scope.profile(check)
    table = scope.catalog.tables[check.table]
    counted, rows = scope.counted_columns(table), int(read.frame["row_count"].sum())
    share = {column: int(read.frame[f"filled_{column}"].sum()) / rows for column in counted} if rows else {}
    low = [f"{column} {100 * part:.1f} %" for column, part in share.items() if part < table.fill[column]]
    without = [column for column in table.fill if column not in counted]
    found = _ratio(len(share) - len(low), len(share), _listed(("too empty", low), ("not there", without)))
    return replace(found, sql=scope.statement([check]).sql, job=read.job)


def _regression(scope: Scope, check: Check) -> Measured:
    of = {item.id: item for item in scope.catalog.checks}[check.of]
    now = _counted(scope, of)
    job = now.job
    played = int(scope.profile(of).frame["date_count"].sum())
    if played < check.values["dates"]:
        few = f"{played} game dates in the range, {check.values['dates']} are needed"
        return Measured(now.value, None, None, few, sql=now.sql, job=job)
    if scope.recorded is not None:
        base, against = scope.recorded.get(of.id), "the named run"
    else:
        read = scope.baseline(of)
        job, against = read.job, f"the {BASELINE_DAYS} days before"
        numerator, denominator = read.parts(of)[["numerator", "denominator"]].sum()
        dates = int(read.frame["date_count"].sum())
        base = numerator / denominator if denominator and dates >= check.values["dates"] else None
        if base is None:
            against += f" ({dates} game dates, {check.values['dates']} are needed)"
    if base is None or now.value is None:
        missing = f"no baseline: {against}" if base is None else "no data in the range"
        return Measured(now.value, base, None, missing, sql=now.sql, job=job)
    value = now.value / base if base else (math.inf if now.value > 0 else 1.0)
    words = "IMPROVEMENT" if value >= 1.05 else "OK"
    if check.floor is not None and check.minimum is not None and value < check.minimum:
        words = "REGRESSION" if value < check.floor else "DEGRADATION"
    return Measured(now.value, base, value, f"{words} against {against}", sql=now.sql, job=job)


def _of_coverage(
    find: Callable[[Scope, Check, Coverage], Measured], *, inputs: bool = False
) -> Callable[[Scope, Check], Measured]:
    def measure(scope: Scope, check: Check) -> Measured:
        read = scope.coverage(check.table, inputs=inputs)
        return replace(find(scope, check, read), sql=read.sql, job=read.job)

    return measure


def _in_state(*states: DateState) -> Callable[[Scope, Check, Coverage], Measured]:
    """Count the dates in some states, of those with rows; a table without rows has nothing to measure."""

    def find(scope: Scope, check: Check, read: Coverage) -> Measured:
        dates = read.dates_in(*states)
        because = sorted({name for name in read.frame.loc[read.frame["day"].isin(dates), "why"] if name})
        return _count(len(dates), read.dates_with_data, "; ".join(because), dates)

    return find


def _covered(scope: Scope, check: Check, read: Coverage) -> Measured:
    return _ratio(len(read.covered), len(read.target), dates=read.missing)


def _rows(scope: Scope, check: Check, read: Coverage) -> Measured:
    lacking = read.dates_in(DateState.PARTIAL, DateState.MISSING, DateState.SOURCE_GAP)
    return _ratio(read.found_rows, read.expected_rows, dates=lacking)


def _gaps(scope: Scope, check: Check, read: Coverage) -> Measured:
    due = read.frame[read.frame["obtainable_rows"] > 0]
    short = due[due["found_rows"] < check.values["share"] * due["obtainable_rows"]]
    return _count(len(short), len(due), dates=tuple(short["day"]))


def _weeks(scope: Scope, check: Check, read: Coverage) -> Measured:
    """Compare, for each seven days, what is there of a Phase 4 table with what is there of the one that it follows."""
    other = scope.coverage(check.values[check.table])
    own = read.frame[read.frame["obtainable_rows"] > 0].set_index("day")
    both = own.join(other.frame.set_index("day"), rsuffix="_3", how="inner")
    columns = ["found_rows", "obtainable_rows", "found_rows_3", "obtainable_rows_3"]
    by_day = both[columns].set_axis(pd.to_datetime(both.index)).astype(float)
    # One or two dates at the edge of a season are no week, unless the range has no more.
    week = by_day.rolling("7D", min_periods=min(3, max(1, len(by_day)))).sum()
    share4, share3 = week["found_rows"] / week["obtainable_rows"], week["found_rows_3"] / week["obtainable_rows_3"]
    ratio = (share4 / share3).dropna()
    if ratio.empty:
        return Measured(None, None, None, f"no week in which {other.table.name} holds rows")
    worst = int(ratio.argmin())
    last = ratio.index[worst].date()
    return Measured(
        float(share4[ratio.index].iloc[worst]),
        float(share3[ratio.index].iloc[worst]),
        float(ratio.iloc[worst]),
        f"worst week {last - timedelta(days=6)} to {last}, against {other.table.name}",
    )


def _in_bootstrap(scope: Scope, check: Check, read: Coverage) -> Measured:
    held = read.frame[read.frame["day"].isin(scope.calendar.bootstrap()) & (read.frame["actual_rows"] > 0)]
    return _count(int(held["actual_rows"].sum()), read.dates_with_data, dates=tuple(held["day"]))


def _unexpected(scope: Scope, check: Check, read: Coverage) -> Measured:
    dates = read.dates_in(DateState.UNEXPECTED)
    if read.table.expected.after_bootstrap:  # rows in the bootstrap have a check of their own
        dates = tuple(day for day in dates if day not in scope.calendar.bootstrap())
    return _count(len(dates), read.dates_with_data, dates=dates)


def _foreign(scope: Scope, check: Check, read: Coverage) -> Measured:
    held = read.frame[(read.frame["expected_rows"] > 0) & (read.frame["unexpected_rows"] > 0)]
    return _count(int(held["unexpected_rows"].sum()), read.dates_with_data, dates=tuple(held["day"]))


def _per_game(scope: Scope, check: Check, read: Coverage) -> Measured:
    games = {item.day: item.games for item in scope.calendar.days}
    due = read.frame[(read.frame["expected_rows"] > 0) & (read.frame["actual_rows"] > 0)]
    rate = due["actual_rows"] / due["day"].map(games)
    odd = due[~rate.between(check.values["low"], check.values["high"])]
    return _count(len(odd), len(due), dates=tuple(odd["day"]))


def _bootstrap(scope: Scope, check: Check) -> Measured:
    return _count(scope.params.bootstrap_days, 1)


def _may_lack(scope: Scope, table: Table, column: str) -> bool:
    """Tell whether a warehouse may lack a column: nothing that runs here writes it, or misses it."""
    if column not in standing_in(table, scope.columns().get(table.full_name, {})):
        return False
    built_in = [item for item in scope.catalog.processed if item.name not in scope.params.executors]
    missed = table.otherwise[column] is None and any(table.name in item.reads for item in built_in)
    return table not in built_in and not missed


def _there(absent: Mapping[str, bool], total: int) -> Measured:
    """Count what is there of what has to be; ``absent`` says of each name whether it may be lacking."""
    needed, spared = ([name for name, may in absent.items() if may is kind] for kind in (False, True))
    due = total - len(spared)
    return _ratio(due - len(needed), due, _listed(("absent", needed), ("not there, done without", spared)))


def _tables(scope: Scope, check: Check) -> Measured:
    there, tables = scope.columns(), scope.catalog.tables.values()
    absent = [table for table in tables if table.full_name not in there]
    return _there({t.full_name: all(_may_lack(scope, t, name) for name in t.columns) for t in absent}, len(tables))


def _columns(scope: Scope, check: Check) -> Measured:
    there = scope.columns()
    wanted = [(table, column) for table in scope.catalog.tables.values() for column in table.columns]
    absent = [(table, column) for table, column in wanted if column not in there.get(table.full_name, ())]
    return _there({f"{t.full_name}.{name}": _may_lack(scope, t, name) for t, name in absent}, len(wanted))


def _kind(name: str) -> str:
    """Return what counts as the same type: exact and floating numbers do, and dates are no timestamps."""
    bare = name.partition("(")[0]
    return "number" if bare in ("INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC") else bare


def _types(scope: Scope, check: Check) -> Measured:
    there = scope.columns()
    both = [
        (f"{table.full_name}.{column}", kind, there[table.full_name][column])
        for table in scope.catalog.tables.values()
        for column, kind in table.columns.items()
        if column in there.get(table.full_name, ()) and not _may_lack(scope, table, column)
    ]
    odd = [f"{name} is {found}, not {kind}" for name, kind, found in both if _kind(kind) != _kind(found)]
    return _ratio(len(both) - len(odd), len(both), ", ".join(odd))


def _processors(scope: Scope, check: Check) -> Measured:
    wanting = []
    for table in scope.catalog.processed:
        to_duckdb(render(scope.catalog.domain, "insert.sql", table=table).sql)
        if words := lacking(table, scope.params.executors.get(table.name)):
            wanting.append(f"{table.name}: {words}")
    total = len(scope.catalog.processed)
    return _ratio(total - len(wanting), total, "; ".join(wanting))


MEASURES: Mapping[str, Callable[[Scope, Check], Measured]] = {
    "ratio": _counted,
    "count": _counted,
    "worst month": _worst_month,
    "columns filled": _columns_filled,
    "regression": _regression,
    "coverage": _of_coverage(_covered),
    "rows": _of_coverage(_rows),
    "partial": _of_coverage(_in_state(DateState.PARTIAL)),
    "missing": _of_coverage(_in_state(DateState.MISSING)),
    "stale": _of_coverage(_in_state(DateState.STALE), inputs=True),
    "gaps": _of_coverage(_gaps),
    "weeks": _of_coverage(_weeks),
    "unexpected": _of_coverage(_unexpected),
    "foreign": _of_coverage(_foreign),
    "in bootstrap": _of_coverage(_in_bootstrap),
    "per game": _of_coverage(_per_game),
    "bootstrap": _bootstrap,
    "tables": _tables,
    "columns": _columns,
    "types": _types,
    "processors": _processors,
}
