"""Runs declared checks; whatever happens, each ends in a result."""

import difflib
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime

from courtbook.catalog import Catalog, Check, Severity
from courtbook.checks.measures import MEASURES, Measured
from courtbook.checks.result import CheckResult, Status, judge
from courtbook.checks.scope import Scope
from courtbook.errors import CourtbookError, ParameterError, Reason
from courtbook.params import Params

# What says how complete a table is: the checks that an accepted table (option A) need not pass.
COMPLETENESS = ("coverage", "rows", "partial", "gaps", "columns filled")
# Errors of a statement that may name a table or column which does not exist.
LACKING = (Reason.QUERY_FAILED, Reason.NOT_FOUND, Reason.SCHEMA_MISMATCH)


def refuse_unknown_names(params: Params, catalog: Catalog) -> None:
    """Raise if the parameters name a check or a table that does not exist: it would change nothing, silently."""
    known = [check.id for check in catalog.checks]
    written = [table.name for table in catalog.processed]
    fallbacks = [table.name for table in catalog.tables.values() if table.fallback]
    for where, names, allowed, kind, more in (
        ("thresholds", params.thresholds, known, "check", "All checks stand in docs/checks.md."),
        ("waivers", params.waivers, known, "check", "All checks stand in docs/checks.md."),
        ("executors", params.executors, written, "table that a processor writes", f"These are: {', '.join(written)}."),
        ("accept", params.accept, fallbacks, "table with a fallback", f"These have one: {', '.join(fallbacks)}."),
    ):
        for name in names:
            if name not in allowed:
                near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.4)
                raise ParameterError(
                    f"There is no {kind} of this name" + (f"; did you mean '{near[0]}'?" if near else "."),
                    where=f"{where}.{name}",
                    next_action=more,
                )


def _scaled(scope: Scope, check: Check, bound: float | None) -> float | None:
    """Return a bound that a document sets for its own range, in proportion for this one."""
    if bound is None or not check.scale:
        return bound
    return bound * scope.calendar.amount(check.scale["by"]) / float(check.scale["at"])


def _bounds(scope: Scope, check: Check) -> tuple[float | None, float | None, float | None, bool]:
    """Return minimum, maximum and floor, and whether the parameters set one of them; what they set is not scaled."""
    given = scope.params.thresholds.get(check.id)
    low, high, floor = (_scaled(scope, check, bound) for bound in (check.minimum, check.maximum, check.floor))
    if given is None:
        return low, high, floor, False
    if given.minimum is not None:
        low, floor = given.minimum, None if floor is None else min(floor, given.minimum)
    return low, high if given.maximum is None else given.maximum, floor, True


def _excuse(scope: Scope, result: CheckResult, today: date) -> CheckResult:
    """Apply what the parameters accept by name: an incomplete table with a fallback, or a waived warning."""
    check = result.check
    accepted = scope.params.accept.get(check.table)
    if accepted and result.status is Status.FAIL and check.measure in COMPLETENESS:
        ratio = scope.coverage(check.table).ratio or 0.0
        words = f"accepted by {accepted.by}: {accepted.reason} (option A, fallback confirmed)"
        if ratio >= accepted.minimum:
            return replace(result, status=Status.WARN, excuse=words)
        short = f"not accepted: {100 * ratio:.1f} % of the dates, option A asks for {100 * accepted.minimum:g} %"
        return replace(result, detail="; ".join(filter(None, (result.detail, short))))
    waiver = scope.params.waivers.get(check.id)
    mild = result.status is Status.WARN or (result.status is Status.NO_DATA and check.severity is Severity.WARNING)
    if waiver and mild:
        if today > waiver.until:
            late = f"the waiver of {waiver.by} ended on {waiver.until}"
            return replace(result, detail="; ".join(filter(None, (result.detail, late))))
        return replace(result, excuse=f"waived by {waiver.by} until {waiver.until}: {waiver.reason}")
    return result


def _absent(names: list[str]) -> str:
    return f"the warehouse has no {' and no '.join(names)}; see columns_exist in preflight" if names else ""


def _unknown(scope: Scope, check: Check, found: Measured) -> str:
    """Say what a check has no data for lack of: its table, or a column of it for which nothing stands."""
    table = scope.catalog.tables.get(check.table)
    if table is None:
        return ""
    unknown = [name for name, other in table.otherwise.items() if found.denominator and not other]
    names = (table.full_name, *(f"{table.full_name}.{name}" for name in unknown))
    return _absent([name for name in scope.lacking(found.sql) if name in names])


def _said(scope: Scope, check: Check, error: Exception) -> str:
    """Say why a check could not be made: by what the warehouse lacks, rather than in the engine's words."""
    names = []
    if isinstance(error, CourtbookError) and error.reason in LACKING:
        with suppress(CourtbookError):  # the first error is told all the same
            names = scope.lacking(error.what)
    own = [name for name in names if check.table and f".{check.table}" in name]
    return _absent(own or names) or f"{type(error).__name__}: {error}"


def run_check(scope: Scope, check: Check) -> CheckResult:
    """Run one check. An engine that fails makes it ERROR, never a pass."""
    started = time.monotonic()
    minimum, maximum, floor, overridden = _bounds(scope, check)
    try:
        found = MEASURES[check.measure](scope, check)
        status = judge(check, found.value, minimum=minimum, maximum=maximum, floor=floor)
        if status is Status.NO_DATA:
            found = replace(found, detail=_unknown(scope, check, found) or found.detail)
    except Exception as error:  # noqa: BLE001 - whatever it is, the check did not pass, and the others still report
        found = Measured(None, None, None, _said(scope, check, error))
        status = Status.ERROR
    shown = scope.calendar.spans(found.dates) if status is not Status.PASS else ""
    result = CheckResult(
        check=check,
        status=status,
        numerator=found.numerator,
        denominator=found.denominator,
        value=found.value,
        minimum=minimum,
        maximum=maximum,
        floor=floor,
        overridden=overridden,
        seconds=time.monotonic() - started,
        sql=found.sql,
        job=found.job,
        detail="; ".join(filter(None, (found.detail, shown))),
        dates=found.dates,
    )
    return _excuse(scope, result, datetime.now(UTC).date())


def run_checks(scope: Scope, checks: Iterable[Check]) -> tuple[CheckResult, ...]:
    """Run checks on one connection, in the order given."""
    with scope.warehouse.session():
        return tuple(run_check(scope, check) for check in checks)
