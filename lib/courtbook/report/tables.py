"""The tables that notebooks and the command line show."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from courtbook.backfill.runner import BackfillReport
from courtbook.checks.result import CheckResult, Status
from courtbook.coverage import Coverage, DateState
from courtbook.gates import Decision
from courtbook.plan import Plan
from courtbook.report.layout import STATE_STYLE, Html, cell, percent, spans, table

if TYPE_CHECKING:
    import pandas as pd

    from courtbook.catalog import Table
    from courtbook.step import Step


def facts(step: "Step") -> Html:
    """Show what a step is about."""
    return table(list(step.facts().items()), ["", "this step"], step.title)


def coverage_table(read: Mapping[str, Coverage]) -> tuple[list[list[object]], list[str]]:
    """Return rows and heads of coverage: states that no date is in are left out, so that it fits a terminal."""
    counted = (DateState.COMPLETE, DateState.PARTIAL, DateState.SOURCE_GAP, DateState.UNEXPECTED)
    shown = [
        state for state in counted if state is DateState.COMPLETE or any(item.dates_in(state) for item in read.values())
    ]
    heads = ["table", "dates", "covered", "expected", "coverage", *(state.value for state in shown), "rows", "of"]
    rows: list[list[object]] = [
        [
            name,
            item.dates_with_data,
            len(item.covered),
            len(item.target),
            percent(item.ratio),
            *(len(item.dates_in(state)) for state in shown),
            item.found_rows,
            item.expected_rows,
        ]
        for name, item in read.items()
    ]
    return rows, heads


COVERAGE_KEY = (
    "dates: with any row; covered: of the expected dates, those with any row (the runbook's own metric); "
    "complete: with every row that schedule and box scores make us expect"
)


def coverage(read: Mapping[str, Coverage], caption: str = "Coverage") -> Html:
    """Show coverage: dates by the runbook's metric (any row counts), and rows by the expectation of each date."""
    shown = table(*coverage_table(read), caption)
    key = f'<p style="font-size:12px;margin-top:-0.6em">{escape(COVERAGE_KEY)}</p>'
    return Html(shown.html + key, f"{shown.text}\n{COVERAGE_KEY}")


def plan(planned: Plan, step: "Step") -> Html:
    """Show which dates of which table will be written, in which order and why."""
    game_dates = step.calendar.dates()
    rows = []
    for task in planned.tasks:
        reasons = sorted(set(task.dates.values()))
        counts = ", ".join(f"{list(task.dates.values()).count(reason)} {reason}" for reason in reasons)
        rows.append(
            [task.level + 1, task.table.name, len(task.dates), counts or "complete", spans(task.dates, game_dates)]
        )
    return table(rows, ["level", "table", "dates", "why", "which"], f"Plan: {planned.table_dates:,} table-dates")


def backfill(report: BackfillReport) -> Html:
    """Show what a backfill wrote."""
    names = list(dict.fromkeys(batch.table for batch in report.batches)) + report.held_back
    rows = []
    for name in names:
        own = [batch for batch in report.batches if batch.table == name]
        rows.append(
            [
                name,
                sum(len(batch.done) for batch in own),
                sum(len(batch.failed) for batch in own),
                sum(batch.rows for batch in own),
                round(sum(batch.seconds for batch in own), 1),
                "held back" if name in report.held_back else "",
            ]
        )
    return table(rows, ["table", "dates done", "failed", "rows", "seconds", ""], "Written, read back and counted")


def measured(result: CheckResult) -> tuple[str, str, str]:
    """Write value, bounds and base of a result in the unit of its check."""
    fraction = result.check.unit == "fraction"
    if result.value is None:
        value = "–"
    else:
        value = percent(result.value) if fraction else f"{cell(result.value)} {result.check.unit}"
    bounds = [
        f"{sign} {f'{100 * bound:g} %' if fraction else f'{bound:g}'}"
        for sign, bound in (("≥", result.minimum), ("≤", result.maximum))
        if bound is not None
    ]
    asked = " and ".join(bounds) + (" (overridden)" if result.overridden else "")
    if result.numerator is None or result.denominator is None:
        return value, asked, "–"
    return value, asked, f"{cell(round(result.numerator, 1))} / {cell(round(result.denominator, 1))}"


def checks(decision: Decision) -> Html:
    """Show every check of a gate: what was found, of how much, and what was asked for."""
    order = [Status.ERROR, Status.FAIL, Status.NO_DATA, Status.WARN, Status.PASS]
    found = sorted(decision.results, key=lambda result: order.index(result.status))
    rows = [
        [
            result.status.value,
            result.check.title,
            result.check.table,
            *measured(result),
            result.detail if result.status is not Status.PASS else "",
        ]
        for result in found
    ]
    counts = ", ".join(
        f"{number} {status.value}" for status in order if (number := sum(r.status is status for r in found))
    )
    return table(
        rows, ["", "check", "table", "value", "asked for", "counted", "where"], f"Gate {decision.gate}: {counts}"
    )


def frame(data: "pd.DataFrame", caption: str) -> Html:
    """Show a DataFrame as it is."""
    shown = data.astype(object)
    if "season" in shown:
        shown["season"] = [f"{year}-{(year + 1) % 100:02d}" for year in shown["season"]]
    rows = [
        [value.date() if hasattr(value, "date") else value for value in row] for row in shown.itertuples(index=False)
    ]
    return table(rows, [str(column).replace("_", " ") for column in data.columns], caption)


def banner(step: "Step") -> Html:
    """Show the verdict of a step so that it cannot be missed."""
    verdict, why = step.verdict()
    colour, sign = STATE_STYLE[verdict.value]
    box = f"border-left:8px solid {colour};padding:10px 16px;margin:0.6em 0;background:#f7f7f7"
    html = (
        f'<div role="status" style="{box}">'
        f'<span style="font-size:22px;font-weight:700;color:{colour}">{sign} {verdict.value}</span>'
        f'<span style="font-size:14px;color:#222"> &nbsp; {escape(step.title)}: {escape(why)}</span></div>'
    )
    return Html(html, f"{verdict.value}  {step.title}: {why}")


def history(steps: Sequence[Mapping[str, Any]]) -> Html:
    """Show the verdicts of the steps of a run."""
    rows = [[item["step"], item["attempt"], item["verdict"], item["why"]] for item in steps]
    return table(rows, ["step", "attempt", "verdict", "why"], "Steps of this run")


def baseline(before: tuple[str, Mapping[str, Any]] | None, now: Mapping[str, Coverage]) -> Html:
    """Show covered dates now and in the run before."""
    if before is None:
        return Html(
            "<p>There is no earlier run of these parameters. The numbers above become the baseline.</p>",
            "There is no earlier run of these parameters. The numbers above become the baseline.",
        )
    name, recorded = before
    rows = []
    for table_name, item in now.items():
        covered, expected = recorded.get(table_name, (None, None))
        change = None if covered is None else len(item.covered) - covered
        rows.append([table_name, covered, expected, len(item.covered), len(item.target), change])
    columns = ["table", "covered then", "expected then", "covered now", "expected now", "change"]
    return table(rows, columns, f"Against {name}")


def spot_check(step: "Step") -> Html:
    """Show the rows of the games that the parameters name."""
    wanted = list(step.params.spot_check_games)
    if not wanted:
        return Html("<p>No games are named in spot_check_games.</p>", "No games are named in spot_check_games.")
    return frame(step.query("spot_check", games=wanted), f"Games {', '.join(wanted)}")


CHECKLIST: tuple[tuple[str, str], ...] = (
    ("dates covered to 95 %", "coverage"),
    ("expected rows there", "rows"),
    ("keys unique", "duplicates"),
    ("keys filled", "null_keys"),
    ("mean quality 75 or more", "quality"),
    ("no blocking issue", "blocking_issues"),
)


def checklist_rows(decision: Decision, wanted: Iterable["Table"]) -> list[list[object]]:
    """Return one row a table, one column an item; an item without a result stays open."""
    status = {result.check.id: result.status.value for result in decision.results}
    return [[item.name, *(status.get(f"{check}.{item.name}", "open") for _, check in CHECKLIST)] for item in wanted]


def checklist(decision: Decision, wanted: Iterable["Table"]) -> Html:
    """Show the completion checklist of all tables."""
    return table(checklist_rows(decision, wanted), ["table", *(item for item, _ in CHECKLIST)], "Completion checklist")
